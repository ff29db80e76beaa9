#include <stdlib.h>
#include <string.h>

#include "text/expand.h"
#include "text/phonemes.h"

/* When an abbreviation is one. */
typedef enum rule {
    ALWAYS,       /* with its point */
    TITLE,        /* with or without its point before a capital; never ends a sentence */
    AFTER_NAME,   /* with its point after a capital */
    BEFORE_NUMBER /* with its point before a digit */
} rule;

/* Sorted by text, capitals first. */
static const struct abbreviation {
    const char *text, *reading;
    rule rule;
} abbreviations[] = {
    {"Adm", "admiral", TITLE},
    {"Apt", "apartment", BEFORE_NUMBER},
    {"Assn", "association", ALWAYS},
    {"Ave", "avenue", AFTER_NAME},
    {"Blvd", "boulevard", ALWAYS},
    {"Bros", "brothers", ALWAYS},
    {"Capt", "captain", TITLE},
    {"Ch", "chapter", BEFORE_NUMBER},
    {"Cmdr", "commander", TITLE},
    {"Co", "company", AFTER_NAME},
    {"Col", "colonel", TITLE},
    {"Corp", "corporation", ALWAYS},
    {"Cpl", "corporal", TITLE},
    {"Dept", "department", ALWAYS},
    {"Dr", "doctor", TITLE},
    {"Eq", "equation", BEFORE_NUMBER},
    {"Esq", "esquire", ALWAYS},
    {"Etc", "etc.", ALWAYS},
    {"Ext", "extension", BEFORE_NUMBER},
    {"Fig", "figure", BEFORE_NUMBER},
    {"Fr", "father", TITLE},
    {"Ft", "fort", TITLE},
    {"Gen", "general", TITLE},
    {"Gov", "governor", TITLE},
    {"Hon", "honorable", TITLE},
    {"Hwy", "highway", ALWAYS},
    {"Inc", "incorporated", ALWAYS},
    {"Jr", "junior", AFTER_NAME},
    {"Ln", "lane", AFTER_NAME},
    {"Lt", "lieutenant", TITLE},
    {"Ltd", "limited", ALWAYS},
    {"Maj", "major", TITLE},
    {"Mr", "mister", TITLE},
    {"Mrs", "Mrs.", TITLE},
    {"Ms", "Ms.", TITLE},
    {"Mt", "mount", TITLE},
    {"No", "number", BEFORE_NUMBER},
    {"Nos", "numbers", BEFORE_NUMBER},
    {"Pres", "president", TITLE},
    {"Prof", "professor", TITLE},
    {"Rd", "road", AFTER_NAME},
    {"Rep", "representative", TITLE},
    {"Rev", "reverend", TITLE},
    {"Sec", "section", BEFORE_NUMBER},
    {"Sen", "senator", TITLE},
    {"Sgt", "sergeant", TITLE},
    {"Sr", "senior", AFTER_NAME},
    {"St", "saint", TITLE},
    {"Tel", "telephone", ALWAYS},
    {"Univ", "university", ALWAYS},
    {"Vol", "volume", BEFORE_NUMBER},
    {"approx", "approximately", ALWAYS},
    {"ca", "circa", BEFORE_NUMBER},
    {"ch", "chapter", BEFORE_NUMBER},
    {"dept", "department", ALWAYS},
    {"eq", "equation", BEFORE_NUMBER},
    {"est", "estimated", BEFORE_NUMBER},
    {"etc", "etc.", ALWAYS},
    {"ext", "extension", BEFORE_NUMBER},
    {"fig", "figure", BEFORE_NUMBER},
    {"figs", "figures", BEFORE_NUMBER},
    {"govt", "government", ALWAYS},
    {"misc", "miscellaneous", ALWAYS},
    {"no", "number", BEFORE_NUMBER},
    {"nos", "numbers", BEFORE_NUMBER},
    {"p", "page", BEFORE_NUMBER},
    {"pp", "pages", BEFORE_NUMBER},
    {"sec", "section", BEFORE_NUMBER},
    {"v", "versus", ALWAYS},
    {"vol", "volume", BEFORE_NUMBER},
    {"vs", "versus", ALWAYS},
};

/* Words that, with a capital, begin a sentence rather than go on with a name. */
static const char starters[] =
    " A After Although An And Any Are As At Because Before But By Can Did Do Does During Each Even "
    "Every Finally For From Had Has Have He Her Here His How However I If In Is It Its Let Many "
    "Maybe Meanwhile Most My No Not Nothing Now Of On Once One Only Or Our Perhaps Please She "
    "Since So Some Still That The Their Then There These They This Those Though Thus To Today Was "
    "We Were What When Where While Who Why Will With Would Yes Yet You Your ";

static bool capital_at(const vx_expansion *x, size_t i)
{
    size_t length;
    const char *word = vx_expand_word(x, i, &length);
    uint32_t cp;
    return vx_utf8_decode(word, length, &cp) > 0 && vx_cp_upper(cp);
}

static bool digit_at(const vx_expansion *x, size_t i)
{
    size_t length;
    const char *word = vx_expand_word(x, i, &length);
    return length > 0 && word[0] >= '0' && word[0] <= '9';
}

static bool starts_sentence(const vx_expansion *x, size_t i)
{
    size_t length;
    const char *word = vx_expand_word(x, i, &length);
    char spaced[16];
    if (length == 0 || length > sizeof spaced - 3) return false;
    spaced[0] = ' ';
    memcpy(spaced + 1, word, length);
    memcpy(spaced + 1 + length, " ", 2);
    return strstr(starters, spaced) != NULL;
}

/* Whether the point at token i, which may belong to an abbreviation, also ends a sentence. */
static bool ends_sentence(const vx_expansion *x, size_t i)
{
    for (i++; i < x->tokens->count; i++) {
        const vx_token *token = &x->tokens->token[i];
        if (token->kind != VX_TOKEN_MARK) return starts_sentence(x, i);
        uint32_t cp = 0;
        vx_utf8_decode(token->mark, strlen(token->mark), &cp);
        if (vx_phoneme_pause(cp)) return false;
    }
    return true;
}

/* The point directly after word i, or count. */
static size_t point_after(const vx_expansion *x, size_t i)
{
    const vx_token *token = &x->tokens->token[i];
    if (i + 1 >= x->tokens->count || token->space_after) return x->tokens->count;
    const vx_token *point = token + 1;
    bool is_point = point->kind == VX_TOKEN_MARK && strcmp(point->mark, ".") == 0 &&
                    point->start == token->start + token->length && point->length == 1;
    return is_point ? i + 1 : x->tokens->count;
}

static void silence_point(vx_expansion *x, size_t i, size_t point)
{
    x->tokens->token[point].mark[0] = '\0';
    x->tokens->token[i].length++;
}

static int compare_abbreviation(const void *key, const void *item)
{
    return strcmp(key, ((const struct abbreviation *)item)->text);
}

static const struct abbreviation *find_abbreviation(const char *word, size_t length)
{
    char text[8];
    if (length == 0 || length >= sizeof text) return NULL;
    memcpy(text, word, length);
    text[length] = '\0';
    return bsearch(text, abbreviations, sizeof abbreviations / sizeof abbreviations[0],
                   sizeof abbreviations[0], compare_abbreviation);
}

/* "St." and "Dr." after a name with none behind, and "Ft." after a number, are other words. */
static const char *second_reading(const vx_expansion *x, const char *text, size_t i, size_t next)
{
    size_t previous = vx_expand_previous(x, i);
    if (strcmp(text, "Ft") == 0) return digit_at(x, previous) ? "feet" : NULL;
    bool street = strcmp(text, "St") == 0, drive = strcmp(text, "Dr") == 0;
    if (!street && !drive) return NULL;
    bool named = capital_at(x, previous) || digit_at(x, previous);
    bool alone = !capital_at(x, next) || starts_sentence(x, next);
    return named && alone ? (street ? "street" : "drive") : NULL;
}

static bool expand_abbreviation(vx_expansion *x, size_t i)
{
    size_t length, count = x->tokens->count;
    const char *word = vx_expand_word(x, i, &length);
    const struct abbreviation *found = find_abbreviation(word, length);
    if (found == NULL) return false;
    size_t point = point_after(x, i), next = vx_expand_next(x, point < count ? point : i);
    if (point == count && found->rule != TITLE) return false;
    bool applies = found->rule == ALWAYS ||
                   (found->rule == AFTER_NAME && capital_at(x, vx_expand_previous(x, i))) ||
                   (found->rule == BEFORE_NUMBER && digit_at(x, next));
    /* After a comma a name may come before its suffix: "King, Jr." */
    if (found->rule == AFTER_NAME && i > 1 && strcmp(x->tokens->token[i - 1].mark, ",") == 0)
        applies = true;
    bool title = found->rule == TITLE;
    const char *reading = title ? second_reading(x, found->text, i, next) : NULL;
    if (title && reading == NULL) {
        if (!capital_at(x, next)) return false;
        reading = found->reading;
        applies = true;
    } else if (reading != NULL) {
        applies = point < count;
        title = false;
    } else {
        reading = found->reading;
    }
    if (!applies) return false;
    vx_expand_read(x, i, reading);
    if (point < count && (title || found->rule == BEFORE_NUMBER || !ends_sentence(x, point)))
        silence_point(x, i, point);
    return true;
}

/* Letters in parts of one or two with points between, or one capital: what a point follows without
 * ending a sentence. */
static void expand_initials(vx_expansion *x, size_t i)
{
    size_t length, point = point_after(x, i), points = 0, run = 0;
    const char *word = vx_expand_word(x, i, &length);
    if (point == x->tokens->count) return;
    for (size_t at = 0; at < length; at++) {
        bool letter = (word[at] | 32) >= 'a' && (word[at] | 32) <= 'z';
        run = letter ? run + 1 : 0;
        points += word[at] == '.';
        if ((!letter && word[at] != '.') || run > 2) return;
    }
    if (points == 0) {
        /* A lone capital is an initial when no sentence begins behind it. */
        size_t next = vx_expand_next(x, point);
        bool initial = length == 1 && capital_at(x, i) && next < x->tokens->count;
        if (initial && !starts_sentence(x, next)) silence_point(x, i, point);
        return;
    }
    if (!ends_sentence(x, point)) silence_point(x, i, point);
}

/* Month and day names with a point. */
static bool expand_calendar(vx_expansion *x, size_t i)
{
    static const char *const days[][3] = {{"Mon", "", "monday"},        {"Tue", "Tues", "tuesday"},
                                          {"Wed", "Weds", "wednesday"}, {"Thu", "Thur", "thursday"},
                                          {"Thu", "Thurs", "thursday"}, {"Fri", "", "friday"},
                                          {"Sat", "", "saturday"},      {"Sun", "", "sunday"}};
    size_t length, count = x->tokens->count, point = point_after(x, i);
    const char *word = vx_expand_word(x, i, &length);
    size_t next = vx_expand_next(x, point < count ? point : i);
    int month = length <= 4 && capital_at(x, i) ? vx_month(word, length) : 0;
    const char *reading = NULL;
    /* "Mar" and "Jan" are names too: a number must stand beside them. */
    if (month > 0 && (digit_at(x, next) || digit_at(x, vx_expand_previous(x, i))))
        reading = vx_month_name(month);
    if (month > 0 && point < count && strchr("ASOND", word[0]) != NULL)
        reading = vx_month_name(month);
    size_t comma = point < count ? point + 1 : i + 1;
    size_t after = comma < count && strcmp(x->tokens->token[comma].mark, ",") == 0
                       ? vx_expand_next(x, comma)
                       : next;
    size_t after_length;
    const char *after_word = vx_expand_word(x, after, &after_length);
    bool date_follows = digit_at(x, after) || vx_month(after_word, after_length) > 0;
    for (size_t d = 0; d < sizeof days / sizeof days[0] && date_follows; d++)
        for (int form = 0; form < 2; form++)
            if (strlen(days[d][form]) == length && memcmp(word, days[d][form], length) == 0)
                reading = days[d][2];
    if (reading == NULL) return false;
    vx_expand_read(x, i, reading);
    if (point < count && !ends_sentence(x, point)) silence_point(x, i, point);
    return true;
}

/* I to XXXIX, 0 for what is none. */
static int roman_value(const char *word, size_t length)
{
    static const struct {
        const char *text;
        int value;
    } parts[] = {{"X", 10}, {"IX", 9}, {"V", 5}, {"IV", 4}, {"I", 1}};
    int value = 0;
    size_t at = 0;
    for (size_t p = 0; p < sizeof parts / sizeof parts[0]; p++) {
        size_t n = strlen(parts[p].text);
        int repeats = parts[p].value == 10 || parts[p].value == 1 ? 3 : 1;
        for (; repeats > 0 && length - at >= n && memcmp(word + at, parts[p].text, n) == 0;
             repeats--, at += n)
            value += parts[p].value;
    }
    return at == length ? value : 0;
}

static bool in_list(const char *list, const char *word, size_t length)
{
    const char *at = list;
    while ((at = memmem(at, strlen(at), word, length)) != NULL) {
        if (at > list && at[-1] == ' ' && at[length] == ' ') return true;
        at++;
    }
    return false;
}

/* Kings and popes are counted by ordinals, wars and chapters by cardinals. */
static bool expand_roman(vx_expansion *x, size_t i)
{
    static const char rulers[] =
        " Alexander Alfonso Benedict Catherine Charles Christian Clement Edward Elizabeth "
        "Ferdinand "
        "Francis Frederick George Gregory Gustav Henry Innocent Ivan James John Julius Leo Leopold "
        "Louis Mary Maximilian Napoleon Nicholas Otto Paul Peter Philip Pius Ramesses Richard "
        "Robert Urban Victor Wilhelm William ";
    static const char counted[] = " Act Appendix Article Book Chapter Class Episode Figure Grade "
                                  "Level Mark Part Phase Section Stage Title Type Volume War ";
    static const char *const words[][2] = {{"one", "first"},
                                           {"two", "second"},
                                           {"three", "third"},
                                           {"four", "fourth"},
                                           {"five", "fifth"},
                                           {"six", "sixth"},
                                           {"seven", "seventh"},
                                           {"eight", "eighth"},
                                           {"nine", "ninth"},
                                           {"ten", "tenth"},
                                           {"eleven", "eleventh"},
                                           {"twelve", "twelfth"},
                                           {"thirteen", "thirteenth"},
                                           {"fourteen", "fourteenth"},
                                           {"fifteen", "fifteenth"},
                                           {"sixteen", "sixteenth"},
                                           {"seventeen", "seventeenth"},
                                           {"eighteen", "eighteenth"},
                                           {"nineteen", "nineteenth"},
                                           {"twenty", "twentieth"}};
    size_t length, previous_length;
    const char *word = vx_expand_word(x, i, &length);
    int value = length <= 7 ? roman_value(word, length) : 0;
    if (value == 0 || value > 20) return false;
    const char *before = vx_expand_word(x, vx_expand_previous(x, i), &previous_length);
    if (previous_length == 0) return false;
    bool count = in_list(counted, before, previous_length);
    bool ruler = length > 1 && in_list(rulers, before, previous_length);
    if (!count && !ruler) return false;
    size_t begin = vx_expand_begin(x);
    if (ruler) vx_strbuf_put(&x->readings, "the ");
    vx_strbuf_put(&x->readings, words[value - 1][ruler]);
    vx_expand_end(x, i, begin);
    return true;
}

void vx_expand_abbreviations(vx_expansion *x)
{
    for (size_t i = 0; i < x->tokens->count; i++) {
        if (x->tokens->token[i].kind != VX_TOKEN_WORD) continue;
        if (expand_calendar(x, i) || expand_abbreviation(x, i) || expand_roman(x, i)) continue;
        expand_initials(x, i);
    }
}
