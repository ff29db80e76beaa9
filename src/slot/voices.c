#include "slot/voices.h"

#include <string.h>

#include "base/json_text.h"
#include "base/mem.h"

/* A name stands for what stands first under it, as for vx_pack_voice. */
static void add_voice(vx_voices *v, const vx_voice_library *library, const char *name,
                      const char *of)
{
    for (int i = 0; i < v->count; i++)
        if (strcmp(v->voice[i].name, name) == 0) return;
    const char *id = of != NULL ? of : name;
    v->voice[v->count++] = (vx_voice_entry){.name = name,
                                            .of = of,
                                            .british = vx_voice_british(library, id),
                                            .gender = vx_voice_gender(library, id)};
}

void vx_voices_free(vx_voices *v)
{
    vx_heap_free(v->voice);
    vx_heap_free(v->names);
}

vx_status vx_voices_find(vx_voices *v, const vx_settings *settings, const vx_pack *pack,
                         vx_error *err)
{
    *v = (vx_voices){0};
    if (!pack->components[VX_COMPONENT_KOKORO].present)
        return vx_pack_need(pack, VX_COMPONENT_KOKORO, "a voice", err);
    vx_voice_library library = vx_speaker_library(pack, 0);
    const vx_list *lists[] = {&settings->voices, &pack->voices};
    int plain = vx_voice_list(&library, NULL, 0);
    int most = plain + lists[0]->count + lists[1]->count;
    v->voice = vx_heap_alloc((size_t)(most + 1) * sizeof *v->voice);
    v->names = vx_heap_alloc((size_t)(plain + 1) * sizeof *v->names);
    if (v->voice == NULL || v->names == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "no memory for a list of %d voices", most);
    for (int k = 0; k < 2; k++) {
        const vx_voice_alias *alias = lists[k]->items;
        for (int i = 0; i < lists[k]->count; i++)
            add_voice(v, &library, alias[i].name, alias[i].voice);
    }
    int found = vx_voice_list(&library, v->names, plain);
    for (int i = 0; i < found && i < plain; i++)
        add_voice(v, &library, v->names[i], NULL);
    return VX_OK;
}

const char *vx_gender_name(char gender)
{
    return gender == 'f' ? "female" : gender == 'm' ? "male" : NULL;
}

json_t *vx_voices_document(const vx_voices *list, const vx_pack *pack)
{
    json_t *array = json_array();
    for (int i = 0; i < list->count; i++) {
        const vx_voice_entry *v = &list->voice[i];
        json_t *file = v->file.text[0] != '\0' ? vx_json_text(v->file.text) : json_null();
        json_array_append_new(array, json_pack("{s:o, s:s?, s:s, s:s?, s:o}", "name",
                                               vx_json_text(v->name), "of", v->of, "accent",
                                               v->british ? "gb" : "us", "gender",
                                               vx_gender_name(v->gender), "file", file));
    }
    return json_pack("{s:s, s:s?, s:o}", "pack", pack->name, "license", pack->license, "voices",
                     array);
}
