#include <stdlib.h>
#include <string.h>

#include "text/expand.h"
#include "text/phonemes.h"
#include "text/readers.h"
#include "text/scan.h"
#include "text/units.h"

/* When an abbreviation is one. */
typedef enum rule {
    ALWAYS,       /* with its point */
    TITLE,        /* with or without its point before a capital */
    AFTER_NAME,   /* with its point after a capital or a number */
    BEFORE_NUMBER /* with its point before a digit */
} rule;

/* When its point also ends a sentence: see ends_sentence. */
typedef enum stop {
    NEVER,   /* something must follow */
    COMPANY, /* unless a name goes on: "Inc. CEO" */
    STREET,  /* unless an address goes on: "Ave. North" */
    TIME,    /* p.m.: unless a day or a zone follows */
    LIST,    /* etc.: before every capital and number */
    WORD     /* before a word that begins sentences */
} stop;

/* Sorted by text, capitals first. */
static const struct abbreviation {
    const char *text, *reading;
    rule rule;
    stop stop;
} abbreviations[] = {
    {"Adm", "admiral", TITLE, NEVER},
    {"Amb", "ambassador", TITLE, NEVER},
    {"Apt", "apartment", BEFORE_NUMBER, NEVER},
    {"Art", "article", BEFORE_NUMBER, NEVER},
    {"Assn", "association", ALWAYS, COMPANY},
    {"Asst", "assistant", ALWAYS, NEVER},
    {"Attn", "attention", ALWAYS, NEVER},
    {"Atty", "attorney", TITLE, NEVER},
    {"Ave", "avenue", AFTER_NAME, STREET},
    {"Bldg", "building", ALWAYS, STREET},
    {"Blvd", "boulevard", ALWAYS, STREET},
    {"Bros", "brothers", ALWAYS, COMPANY},
    {"Capt", "captain", TITLE, NEVER},
    {"Cdr", "commander", TITLE, NEVER},
    {"Ch", "chapter", BEFORE_NUMBER, NEVER},
    {"Cir", "circle", AFTER_NAME, STREET},
    {"Cmdr", "commander", TITLE, NEVER},
    {"Co", "company", AFTER_NAME, COMPANY},
    {"Col", "colonel", TITLE, NEVER},
    {"Corp", "corporation", ALWAYS, COMPANY},
    {"Cpl", "corporal", TITLE, NEVER},
    {"Ct", "court", AFTER_NAME, STREET},
    {"Dept", "department", ALWAYS, NEVER},
    {"Det", "detective", TITLE, NEVER},
    {"Dr", "doctor", TITLE, NEVER},
    {"Eq", "equation", BEFORE_NUMBER, NEVER},
    {"Esq", "esquire", ALWAYS, WORD},
    {"Etc", "etc.", ALWAYS, LIST},
    {"Ext", "extension", BEFORE_NUMBER, NEVER},
    {"Fig", "figure", BEFORE_NUMBER, NEVER},
    {"Figs", "figures", BEFORE_NUMBER, NEVER},
    {"Fr", "father", TITLE, NEVER},
    {"Ft", "fort", TITLE, NEVER},
    {"Gen", "general", TITLE, NEVER},
    {"Gov", "governor", TITLE, NEVER},
    {"Govt", "government", ALWAYS, WORD},
    {"Hon", "honorable", TITLE, NEVER},
    {"Hwy", "highway", ALWAYS, STREET},
    {"Inc", "incorporated", ALWAYS, COMPANY},
    {"Insp", "inspector", TITLE, NEVER},
    {"Intl", "international", ALWAYS, NEVER},
    {"Jr", "junior", AFTER_NAME, WORD},
    {"Ln", "lane", AFTER_NAME, STREET},
    {"Lt", "lieutenant", TITLE, NEVER},
    {"Ltd", "limited", ALWAYS, COMPANY},
    {"Maj", "major", TITLE, NEVER},
    {"Messrs", "messieurs", TITLE, NEVER},
    {"Mlle", "mademoiselle", TITLE, NEVER},
    {"Mme", "madame", TITLE, NEVER},
    {"Mr", "mister", TITLE, NEVER},
    {"Mrs", "Mrs.", TITLE, NEVER},
    {"Ms", "Ms.", TITLE, NEVER},
    {"Msgr", "monsignor", TITLE, NEVER},
    {"Mt", "mount", TITLE, NEVER},
    {"Natl", "national", ALWAYS, NEVER},
    {"No", "number", BEFORE_NUMBER, NEVER},
    {"Nos", "numbers", BEFORE_NUMBER, NEVER},
    {"Pkwy", "parkway", ALWAYS, STREET},
    {"Pl", "place", AFTER_NAME, STREET},
    {"Pres", "president", TITLE, NEVER},
    {"Prof", "professor", TITLE, NEVER},
    {"Profs", "professors", TITLE, NEVER},
    {"Pt", "part", BEFORE_NUMBER, NEVER},
    {"Pvt", "private", TITLE, NEVER},
    {"Rd", "road", AFTER_NAME, STREET},
    {"Rep", "representative", TITLE, NEVER},
    {"Rev", "reverend", TITLE, NEVER},
    {"Rm", "room", BEFORE_NUMBER, NEVER},
    {"Rte", "route", BEFORE_NUMBER, NEVER},
    {"Sec", "section", BEFORE_NUMBER, NEVER},
    {"Sen", "senator", TITLE, NEVER},
    {"Sgt", "sergeant", TITLE, NEVER},
    {"Sq", "square", AFTER_NAME, STREET},
    {"Sr", "senior", AFTER_NAME, WORD},
    {"St", "saint", TITLE, NEVER},
    {"Ste", "suite", BEFORE_NUMBER, NEVER},
    {"Supt", "superintendent", TITLE, NEVER},
    {"Tel", "telephone", ALWAYS, NEVER},
    {"Univ", "university", ALWAYS, NEVER},
    {"Vol", "volume", BEFORE_NUMBER, NEVER},
    {"Vols", "volumes", BEFORE_NUMBER, NEVER},
    {"approx", "approximately", ALWAYS, NEVER},
    {"apt", "apartment", BEFORE_NUMBER, NEVER},
    {"art", "article", BEFORE_NUMBER, NEVER},
    {"assn", "association", ALWAYS, WORD},
    {"attn", "attention", ALWAYS, NEVER},
    {"avg", "average", ALWAYS, WORD},
    {"ca", "circa", BEFORE_NUMBER, NEVER},
    {"cf", "compare", ALWAYS, NEVER},
    {"ch", "chapter", BEFORE_NUMBER, NEVER},
    {"dept", "department", ALWAYS, WORD},
    {"ed", "edition", AFTER_NAME, WORD},
    {"eq", "equation", BEFORE_NUMBER, NEVER},
    {"esp", "especially", ALWAYS, NEVER},
    {"est", "estimated", BEFORE_NUMBER, NEVER},
    {"etc", "etc.", ALWAYS, LIST},
    {"excl", "excluding", ALWAYS, NEVER},
    {"ext", "extension", BEFORE_NUMBER, NEVER},
    {"fig", "figure", BEFORE_NUMBER, NEVER},
    {"figs", "figures", BEFORE_NUMBER, NEVER},
    {"govt", "government", ALWAYS, WORD},
    {"hrs", "hours", ALWAYS, WORD},
    {"incl", "including", ALWAYS, NEVER},
    {"intl", "international", ALWAYS, NEVER},
    {"max", "maximum", ALWAYS, WORD},
    {"min", "minimum", ALWAYS, WORD},
    {"misc", "miscellaneous", ALWAYS, NEVER},
    {"no", "number", BEFORE_NUMBER, NEVER},
    {"nos", "numbers", BEFORE_NUMBER, NEVER},
    {"p", "page", BEFORE_NUMBER, NEVER},
    {"para", "paragraph", BEFORE_NUMBER, NEVER},
    {"pp", "pages", BEFORE_NUMBER, NEVER},
    {"pt", "part", BEFORE_NUMBER, NEVER},
    {"resp", "respectively", ALWAYS, WORD},
    {"sec", "section", BEFORE_NUMBER, NEVER},
    {"tel", "telephone", ALWAYS, NEVER},
    {"temp", "temperature", ALWAYS, WORD},
    {"v", "versus", ALWAYS, NEVER},
    {"viz", "namely", ALWAYS, NEVER},
    {"vol", "volume", BEFORE_NUMBER, NEVER},
    {"vols", "volumes", BEFORE_NUMBER, NEVER},
    {"vs", "versus", ALWAYS, NEVER},
};

/* Words that, with a capital, begin a sentence rather than go on with a name. */
static const char starters[] =
    " A About Above Actually After Afterwards Again All Almost Already Also Although Always Among "
    "An And Another Any Anybody Anyone Anything Apparently Are Around As Ask At Away Be Because "
    "Before Behind Below Beneath Besides Better Between Both But By Call Can Certainly Clearly "
    "Come Could Despite Did Do Does Don During Each Either Enough Even Eventually Ever Every "
    "Everybody Everyone Everything Everywhere Few Finally Find First For Fortunately From "
    "Generally Get Give Go Had Has Have He Hence Her Here Hers Herself Him Himself His How "
    "However I If Imagine In Indeed Instead Into Is It Its Itself Just Keep Last Later Least Less "
    "Let Like Likewise Look Make Many Maybe Me Meanwhile Might Mine More Moreover Most Much Must "
    "My Myself Near Nearly Neither Never Nevertheless Next No Nobody None Nor Not Nothing Now "
    "Nowhere Obviously Of Off Often Oh On Once One Only Or Other Others Otherwise Our Ours Out "
    "Over Perhaps Please Probably Put Quite Rather Read Really Recently Remember Say See "
    "Several Shall She Should Since So Some Somebody Somehow Someone Something Sometimes "
    "Somewhere Soon Still Such Suddenly Take Tell Than Thank Thanks That The Their Theirs Them "
    "Then There Therefore These They Think This Those Though Three Through Thus To Today "
    "Together Tomorrow Tonight Too Toward Try Two Under Unfortunately Unless Until Up Upon Us "
    "Use Usually Very Visit Wait Was We Well Were What Whatever When Whenever Where Whereas "
    "Wherever Whether Which While Who Whoever Whom Whose Why Will With Within Without Would Yes "
    "Yesterday Yet You Your Yours ";

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
    return length > 0 && vx_is_digit(word[0]);
}

bool vx_starts_sentence(const char *word, size_t length)
{
    size_t letters = vx_letters_at(word, length, 0); /* "It's", "Don't" */
    if (letters < length && word[letters] != '\'' && !vx_word_at(word, length, letters, "’"))
        return false;
    if (letters > 3 && word[letters - 1] == 'n' && letters < length) letters--; /* "Didn't" */
    return vx_in_list(starters, word, letters);
}

static bool starts_sentence(const vx_expansion *x, size_t i)
{
    size_t length;
    const char *word = vx_expand_word(x, i, &length);
    return vx_starts_sentence(word, length);
}

/* Whether what stands at token i goes on with what the abbreviation began. */
static bool goes_on(const vx_expansion *x, size_t i, stop kind)
{
    static const char company[] = " CEO CFO COO CTO Chief Chairman Chairwoman President Vice "
                                  "Founder Executive Director Ltd Inc Co Corp LLC Magazine Class ";
    static const char street[] = " North South East West N S E W NE NW SE SW Apt Suite Ste Unit "
                                 "Station Bridge Theater Theatre Park Elementary School Bldg ";
    static const char zone[] = " Eastern Central Mountain Pacific Greenwich ET EST EDT CT CST CDT "
                               "MT MST MDT PT PST PDT GMT UTC BST CET CEST IST JST AEST Local ";
    size_t length;
    const char *word = vx_expand_word(x, i, &length);
    if (kind == COMPANY) return vx_in_list(company, word, length);
    if (kind == STREET) return vx_in_list(street, word, length);
    return vx_in_list(zone, word, length) || vx_day_name(word, length) != NULL ||
           vx_month(word, length) > 0;
}

/* Whether the point at token i, which belongs to an abbreviation, also ends a sentence. */
static bool ends_sentence(const vx_expansion *x, size_t i, stop kind)
{
    for (i++; i < x->tokens->count; i++) {
        const vx_token *token = &x->tokens->token[i];
        uint32_t cp = 0;
        if (token->kind != VX_TOKEN_MARK) break;
        vx_utf8_decode(token->mark, strlen(token->mark), &cp);
        if (vx_phoneme_pause(cp)) return false;
    }
    if (i == x->tokens->count) return true;
    if (kind == NEVER) return false;
    if (digit_at(x, i)) return kind == TIME || kind == LIST;
    if (!capital_at(x, i)) return false;
    if (kind == LIST || starts_sentence(x, i)) return true;
    return kind != WORD && !goes_on(x, i, kind);
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

/* Whether the name before "St. Peter" is a street's: it stands behind a house number or "on". */
static bool street_before(const vx_expansion *x, size_t name)
{
    size_t length, further = vx_expand_previous(x, name);
    const char *word = vx_expand_word(x, name, &length);
    if (vx_in_list(" Mount Mt Lake Fort Port East West North South Upper Lower Old New ", word,
                   length))
        return false;
    word = vx_expand_word(x, further, &length);
    return digit_at(x, further) || vx_in_list(" on along down off up ", word, length);
}

/* "St." and "Dr." after a name with none behind, and "Ft." after a number, are other words. */
static const char *second_reading(const vx_expansion *x, const char *text, size_t i, size_t next)
{
    size_t previous = vx_expand_previous(x, i);
    if (strcmp(text, "Ft") == 0) return digit_at(x, previous) ? "feet" : NULL;
    bool street = strcmp(text, "St") == 0, drive = strcmp(text, "Dr") == 0;
    if (!street && !drive) return NULL;
    bool named = capital_at(x, previous) || digit_at(x, previous);
    bool alone = !capital_at(x, next) || starts_sentence(x, next) || goes_on(x, next, STREET) ||
                 street_before(x, previous);
    return named && alone ? (street ? "street" : "drive") : NULL;
}

/* Titles that are no words: with their point they need no name behind them ("Mr. & Mrs."). */
static bool only_title(const struct abbreviation *found)
{
    return vx_in_list(" Mr Mrs Ms Dr Prof Sgt Lt Cpl Capt Cmdr Messrs ", found->text,
                      strlen(found->text));
}

static bool expand_title(vx_expansion *x, size_t i, const struct abbreviation *found, size_t point,
                         size_t next)
{
    size_t count = x->tokens->count;
    const char *second = second_reading(x, found->text, i, next);
    if (second != NULL && point == count) return false;
    bool bare = only_title(found) && point < count && next < count;
    if (second == NULL && !capital_at(x, next) && !bare) return false;
    vx_expand_read(x, i, second != NULL ? second : found->reading);
    if (point < count && (second == NULL || !ends_sentence(x, point, STREET)))
        silence_point(x, i, point);
    return true;
}

static bool expand_abbreviation(vx_expansion *x, size_t i)
{
    size_t length, count = x->tokens->count;
    const char *word = vx_expand_word(x, i, &length);
    const struct abbreviation *found = find_abbreviation(word, length);
    if (found == NULL) return false;
    size_t point = point_after(x, i), next = vx_expand_next(x, point < count ? point : i);
    size_t previous = vx_expand_previous(x, i);
    if (found->rule == TITLE) return expand_title(x, i, found, point, next);
    if (point == count) return false;
    bool applies =
        found->rule == ALWAYS ||
        (found->rule == AFTER_NAME && (capital_at(x, previous) || digit_at(x, previous))) ||
        (found->rule == BEFORE_NUMBER && digit_at(x, next));
    /* After a comma a name may come before its suffix: "King, Jr." */
    if (found->rule == AFTER_NAME && i > 1 && strcmp(x->tokens->token[i - 1].mark, ",") == 0)
        applies = true;
    size_t and_length; /* "Smith & Co." */
    const char *and = vx_expand_word(x, previous, &and_length);
    applies |= strcmp(found->text, "Co") == 0 && vx_text_is(and, and_length, "&");
    /* "5 min." is a time. */
    size_t unit;
    if (digit_at(x, previous) && vx_unit_at(word, length, 0, true, &unit) != NULL) applies = false;
    if (!applies) return false;
    /* "est. 1985" is a year of founding. */
    size_t year;
    vx_expand_word(x, next, &year);
    bool founded = strcmp(found->text, "est") == 0 && year == 4;
    vx_expand_read(x, i, founded ? "established" : found->reading);
    if (!ends_sentence(x, point, found->stop)) silence_point(x, i, point);
    return true;
}

/* "N. Main St.", "E. 42nd St." */
static bool expand_direction(vx_expansion *x, size_t i, size_t point)
{
    static const char *const names[][2] = {
        {"N", "north"}, {"S", "south"}, {"E", "east"}, {"W", "west"}};
    size_t length, other, next = vx_expand_next(x, point), street = vx_expand_next(x, next);
    const char *word = vx_expand_word(x, i, &length), *type = vx_expand_word(x, street, &other);
    if (!vx_in_list(" St Street Ave Avenue Rd Road Blvd Boulevard Dr Drive Ln Lane Pkwy Ct Hwy ",
                    type, other))
        return false;
    if (!capital_at(x, next) && !digit_at(x, next)) return false;
    for (int d = 0; d < 4; d++) {
        if (!vx_text_is(word, length, names[d][0])) continue;
        vx_expand_read(x, i, names[d][1]);
        silence_point(x, i, point);
        return true;
    }
    return false;
}

/* Letters in parts of one or two with points between, or one capital: what a point follows without
 * ending a sentence. */
static void expand_initials(vx_expansion *x, size_t i)
{
    size_t length, point = point_after(x, i), points = 0, run = 0;
    const char *word = vx_expand_word(x, i, &length);
    if (point == x->tokens->count || expand_direction(x, i, point)) return;
    for (size_t at = 0; at < length; at++) {
        bool letter = vx_is_letter(word[at]);
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
    bool time =
        vx_text_is_any_case(word, length, "a.m") || vx_text_is_any_case(word, length, "p.m");
    bool never =
        vx_text_is_any_case(word, length, "e.g") || vx_text_is_any_case(word, length, "i.e");
    if (!ends_sentence(x, point, time ? TIME : never ? NEVER : WORD)) silence_point(x, i, point);
}

/* The point behind a unit that counts: "5 in. wide". */
static void expand_unit(vx_expansion *x, size_t i)
{
    size_t length, bytes, point = point_after(x, i), number = 0;
    const char *word = vx_expand_word(x, i, &length);
    if (point == x->tokens->count) return;
    while (number < length && (vx_is_digit(word[number]) || word[number] == '.'))
        number++;
    bool spaced = number == 0;
    if (spaced && !digit_at(x, vx_expand_previous(x, i))) return;
    bool inch = vx_text_is(word + number, length - number, "in");
    const vx_unit *unit = vx_unit_at(word, length, number, spaced, &bytes);
    bool whole = unit != NULL && bytes == length - number && vx_is_letter(word[number]);
    if ((whole || inch) && !ends_sentence(x, point, LIST)) silence_point(x, i, point);
}

/* Month and day names with a point, or beside a number. */
static bool expand_calendar(vx_expansion *x, size_t i)
{
    size_t length, count = x->tokens->count, point = point_after(x, i);
    const char *word = vx_expand_word(x, i, &length);
    if (!capital_at(x, i) || length > 5) return false;
    size_t next = vx_expand_next(x, point < count ? point : i), previous = vx_expand_previous(x, i);
    int month = length <= 4 ? vx_month(word, length) : 0;
    const char *day = vx_day_name(word, length), *reading = NULL;
    bool number = digit_at(x, next) || digit_at(x, previous);
    /* "Mar" and "Jan" are names too: a number must stand beside them. */
    if (month > 0 && (number || (point < count && strchr("ASOND", word[0]) != NULL)))
        reading = vx_month_name(month);
    size_t comma = point < count ? point + 1 : i + 1;
    bool listed = comma < count && strcmp(x->tokens->token[comma].mark, ",") == 0;
    size_t after = listed ? vx_expand_next(x, comma) : next, after_length;
    const char *after_word = vx_expand_word(x, after, &after_length);
    bool date = digit_at(x, after) || vx_month(after_word, after_length) > 0 ||
                vx_day_name(after_word, after_length) != NULL;
    if (vx_in_list(" & and ", after_word, after_length)) { /* "Mon & Wed" */
        after_word = vx_expand_word(x, vx_expand_next(x, after), &after_length);
        date |= vx_day_name(after_word, after_length) != NULL;
    }
    /* "Sat, Sun" */
    size_t earlier_length;
    const char *earlier = vx_expand_word(x, i > 1 ? i - 2 : count, &earlier_length);
    date |= vx_day_name(earlier, earlier_length) != NULL;
    /* "Sat", "Sun" and "Wed" are words: without a date beside them only the others' points show. */
    bool plain = vx_in_list(" Mon Tue Tues Thu Thur Thurs Fri Weds ", word, length);
    if (day != NULL && (date || (plain && point < count))) reading = day;
    if (reading == NULL) return false;
    vx_expand_read(x, i, reading);
    if (point < count && !ends_sentence(x, point, WORD)) silence_point(x, i, point);
    return true;
}

/* "No.1", "pp.5": the number stands in the same word. */
size_t vx_read_numbered(vx_expansion *x, size_t i, const char *t, size_t n)
{
    size_t letters = vx_letters_at(t, n, 0), digits = vx_digits_at(t, n, letters + 1);
    const struct abbreviation *found = find_abbreviation(t, letters);
    (void)i;
    if (found == NULL || found->rule != BEFORE_NUMBER || !vx_word_at(t, n, letters, ".") ||
        digits == 0)
        return 0;
    vx_put_words(x, found->reading);
    vx_put_cardinal(x, t + letters + 1, digits);
    return letters + 1 + digits;
}

void vx_expand_abbreviations(vx_expansion *x)
{
    for (size_t i = 0; i < x->tokens->count; i++) {
        if (x->tokens->token[i].kind != VX_TOKEN_WORD || x->tokens->token[i].read_length > 0)
            continue;
        if (vx_expand_by(x, i, vx_read_days)) continue; /* before each day is one alone */
        if (expand_calendar(x, i) || expand_abbreviation(x, i) || vx_expand_roman(x, i)) continue;
        if (vx_expand_initialism(x, i)) continue;
        expand_initials(x, i);
        expand_unit(x, i);
    }
}
