#include "base/warnings.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json_text.h"
#include "base/log.h"

static _Thread_local vx_warnings *current;

void vx_warnings_init(vx_warnings *list)
{
    memset(list, 0, sizeof *list);
    pthread_mutex_init(&list->lock, NULL);
}

vx_warnings *vx_warnings_scope(vx_warnings *list)
{
    vx_warnings *before = current;
    current = list;
    return before;
}

static bool same(const vx_warning *a, const vx_warning *b)
{
    return strcmp(a->code, b->code) == 0 && strcmp(a->where, b->where) == 0 &&
           strcmp(a->message, b->message) == 0;
}

static void add(vx_warnings *list, const vx_warning *warning)
{
    pthread_mutex_lock(&list->lock);
    int at = 0;
    while (at < list->count && !same(&list->item[at], warning))
        at++;
    if (at == VX_WARNINGS_MAX)
        list->more++;
    else if (at == list->count)
        list->item[list->count++] = *warning;
    pthread_mutex_unlock(&list->lock);
}

void vx_warn(const char *code, const char *where, const char *format, ...)
{
    vx_warning warning;
    va_list args;
    va_start(args, format);
    vsnprintf(warning.message, sizeof warning.message, format, args);
    va_end(args);
    snprintf(warning.code, sizeof warning.code, "%s", code);
    snprintf(warning.where, sizeof warning.where, "%s", where != NULL ? where : "");
    vx_log(VX_LOG_WARN, "%s", warning.message);
    if (current != NULL) add(current, &warning);
}

json_t *vx_warnings_json(vx_warnings *list)
{
    json_t *array = json_array();
    pthread_mutex_lock(&list->lock);
    for (int i = 0; i < list->count; i++) {
        const vx_warning *w = &list->item[i];
        json_array_append_new(
            array,
            json_pack("{s:s, s:o, s:o}", "code", w->code, "message", vx_json_text(w->message),
                      "where", w->where[0] != '\0' ? vx_json_text(w->where) : json_null()));
    }
    if (list->more > 0)
        json_array_append_new(
            array,
            json_pack("{s:s, s:o, s:n}", "code", "more", "message",
                      json_sprintf("%d more warnings are in the log alone", list->more), "where"));
    pthread_mutex_unlock(&list->lock);
    return array;
}
