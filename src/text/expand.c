#include "text/expand.h"

#include <stdlib.h>
#include <string.h>

#include "text/numbers.h"

static const char *const months[] = {"january",   "february", "march",    "april",
                                     "may",       "june",     "july",     "august",
                                     "september", "october",  "november", "december"};

const char *vx_expand_word(const vx_expansion *x, size_t i, size_t *length)
{
    *length = 0;
    if (i >= x->tokens->count || x->tokens->token[i].kind != VX_TOKEN_WORD) return "";
    const char *word = x->text + x->tokens->token[i].start;
    *length = x->tokens->token[i].length;
    /* Only a silenced point stands at the end of a word. */
    if (*length > 1 && word[*length - 1] == '.') (*length)--;
    return word;
}

static bool is_silent_mark(const vx_token *token)
{
    return token->kind == VX_TOKEN_MARK && token->mark[0] == '\0';
}

size_t vx_expand_next(const vx_expansion *x, size_t i)
{
    size_t count = x->tokens->count;
    if (i >= count || !x->tokens->token[i].space_after) {
        /* A silenced point may stand between a word and the space after it. */
        if (i + 1 >= count || !is_silent_mark(&x->tokens->token[i + 1])) return count;
        i++;
        if (!x->tokens->token[i].space_after) return count;
    }
    return i + 1 < count && x->tokens->token[i + 1].kind == VX_TOKEN_WORD ? i + 1 : count;
}

size_t vx_expand_previous(const vx_expansion *x, size_t i)
{
    size_t count = x->tokens->count;
    if (i == 0 || i >= count) return count;
    i--;
    if (!x->tokens->token[i].space_after) return count;
    if (is_silent_mark(&x->tokens->token[i]) && i > 0) i--;
    return x->tokens->token[i].kind == VX_TOKEN_WORD ? i : count;
}

size_t vx_expand_begin(const vx_expansion *x)
{
    return x->readings.length;
}

/* Readings lie one after the other with a space between, which belongs to none. */
void vx_expand_end(vx_expansion *x, size_t i, size_t begin)
{
    vx_token *token = &x->tokens->token[i];
    while (begin < x->readings.length && x->readings.data[begin] == ' ')
        begin++;
    token->read = (uint32_t)begin;
    token->read_length = (uint32_t)(x->readings.length - begin);
    vx_strbuf_put(&x->readings, " ");
}

void vx_expand_read(vx_expansion *x, size_t i, const char *words)
{
    size_t begin = vx_expand_begin(x);
    vx_strbuf_put(&x->readings, words);
    vx_expand_end(x, i, begin);
}

int vx_month(const char *word, size_t length)
{
    if (length < 3) return 0;
    for (int m = 0; m < 12; m++) {
        bool same = strlen(months[m]) == length || length == 3 || (m == 8 && length == 4);
        for (size_t i = 0; i < length && same; i++)
            same = (word[i] | (i == 0 ? 32 : 0)) == months[m][i];
        if (same && word[0] >= 'A' && word[0] <= 'Z') return m + 1;
    }
    return 0;
}

const char *vx_month_name(int month)
{
    return months[month - 1];
}

static const char *greek_letter(uint32_t cp)
{
    static const char *const names[] = {
        "alpha", "beta",   "gamma",   "delta", "epsilon", "zeta",    "eta",  "theta", "iota",
        "kappa", "lambda", "mu",      "nu",    "xi",      "omicron", "pi",   "rho",   "sigma",
        "sigma", "tau",    "upsilon", "phi",   "chi",     "psi",     "omega"};
    if (cp >= 0x391 && cp <= 0x3A9) return names[cp - 0x391];
    if (cp >= 0x3B1 && cp <= 0x3C9) return names[cp - 0x3B1];
    return NULL;
}

const char *vx_sign_reading(uint32_t cp, char next)
{
    bool digit = next >= '0' && next <= '9';
    switch (cp) {
    case '#':
        return digit ? "number" : NULL;
    case '~':
    case 0x2248:
        return digit || cp != '~' ? "about" : NULL;
    case '=':
        return "equals";
    case '<':
        return "less than";
    case '>':
        return "greater than";
    case 0x2260:
        return "not equal to";
    case 0x2264:
        return "less than or equal to";
    case 0x2265:
        return "greater than or equal to";
    case 0xB1:
        return "plus or minus";
    case 0xD7:
        return "times";
    case 0xF7:
        return "divided by";
    case 0xA7:
        return "section";
    case 0xB0:
        return "degrees";
    case 0xB2:
        return "squared";
    case 0xB3:
        return "cubed";
    case 0xA2:
        return "cents";
    case 0x2103:
        return "degrees celsius";
    case 0x2109:
        return "degrees fahrenheit";
    default:
        return greek_letter(cp);
    }
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t digits_at(const char *text, size_t length, size_t at)
{
    size_t n = 0;
    while (at + n < length && is_digit(text[at + n]))
        n++;
    return n;
}

static int value_of(const char *digits, size_t count)
{
    int value = 0;
    for (size_t i = 0; i < count && value < 100000; i++)
        value = value * 10 + (digits[i] - '0');
    return value;
}

static void put_space(vx_expansion *x)
{
    if (x->readings.length > 0 && x->readings.data[x->readings.length - 1] != ' ')
        vx_strbuf_put(&x->readings, " ");
}

static void put_words(vx_expansion *x, const char *words)
{
    put_space(x);
    vx_strbuf_put(&x->readings, words);
}

static void put_cardinal(vx_expansion *x, const char *digits, size_t count)
{
    put_space(x);
    vx_number_cardinal(digits, count, x->british, &x->readings);
}

static void put_year(vx_expansion *x, const char *digits, size_t count)
{
    if (count == 4 && digits[0] != '0')
        vx_number_year(digits, count, x->british, &x->readings);
    else if (count == 2 && digits[0] == '0')
        put_words(x, "oh"), vx_number_digits(digits + 1, 1, &x->readings);
    else
        put_cardinal(x, digits, count);
}

/* "November twenty third, …" or "the twenty third of November …", as the accent has it. */
static bool put_date(vx_expansion *x, int month, const char *day, size_t day_count,
                     const char *year, size_t year_count)
{
    int number = value_of(day, day_count);
    if (month < 1 || month > 12 || number < 1 || number > 31) return false;
    if (x->british) {
        put_words(x, "the");
        vx_number_ordinal(day, day_count, true, &x->readings);
        put_words(x, "of");
        put_words(x, months[month - 1]);
    } else {
        put_words(x, months[month - 1]);
        vx_number_ordinal(day, day_count, false, &x->readings);
    }
    if (year_count > 0) put_space(x), put_year(x, year, year_count);
    return true;
}

/* 2024-11-23, 11/23/2024, 23/11/2024, 23.11.2024. */
static bool read_date(vx_expansion *x, const char *w, size_t n)
{
    size_t a = digits_at(w, n, 0);
    if (a == 0 || a + 1 >= n) return false;
    char sign = w[a];
    size_t b = digits_at(w, n, a + 1), second = a + 1, third = a + b + 2;
    if (b < 1 || b > 2 || third >= n || w[third - 1] != sign) return false;
    size_t c = digits_at(w, n, third);
    if (third + c != n) return false;
    if (a == 4 && c <= 2 && (sign == '-' || sign == '/' || sign == '.'))
        return put_date(x, value_of(w + second, b), w + third, c, w, 4);
    if (a > 2 || (c != 4 && !(sign == '/' && c == 2)) || strchr("/.-", sign) == NULL) return false;
    if (c == 4 && (w[third] < '1' || w[third] > '2')) return false;
    int first_value = value_of(w, a), second_value = value_of(w + second, b);
    bool month_first = sign == '.' ? false : !x->british;
    if (first_value > 12) month_first = false;
    if (second_value > 12) month_first = true;
    return month_first ? put_date(x, first_value, w + second, b, w + third, c)
                       : put_date(x, second_value, w, a, w + third, c);
}

/* The length of am, pm, a.m, p.m at the end of a word, any case; 0 for none. */
static size_t half_of_day(const char *w, size_t n, const char **reading)
{
    static const char *const forms[] = {"a.m", "p.m", "am", "pm"};
    for (size_t f = 0; f < 4; f++) {
        size_t m = strlen(forms[f]);
        bool same = n >= m;
        for (size_t i = 0; i < m && same; i++)
            same = (w[n - m + i] | (forms[f][i] == '.' ? 0 : 32)) == forms[f][i];
        if (!same) continue;
        *reading = f % 2 == 0 ? "a.m" : "p.m";
        return m;
    }
    return 0;
}

/* 3:45, 15:00, 3:45:20, 3:45pm, 3pm. `followed`: "pm" comes as a word of its own. */
static bool read_time(vx_expansion *x, const char *w, size_t n, bool followed)
{
    const char *half = NULL;
    n -= half_of_day(w, n, &half);
    size_t h = digits_at(w, n, 0);
    int hour = value_of(w, h);
    if (h < 1 || h > 2 || hour > 24 || (half != NULL && (hour < 1 || hour > 12))) return false;
    bool minutes = h < n && w[h] == ':' && digits_at(w, n, h + 1) == 2;
    bool seconds = minutes && h + 6 == n && w[h + 3] == ':' && digits_at(w, n, h + 4) == 2;
    if (minutes ? (h + 3 != n && !seconds) || value_of(w + h + 1, 2) > 59 : half == NULL || h != n)
        return false;
    put_cardinal(x, w, h);
    if (minutes && memcmp(w + h + 1, "00", 2) != 0) {
        if (w[h + 1] == '0') put_words(x, "oh");
        put_cardinal(x, w + h + 1, 2);
    } else if (minutes && !seconds && half == NULL && !followed) {
        put_words(x, hour >= 1 && hour <= 12 ? "o'clock" : "hundred");
    }
    if (seconds) {
        put_words(x, "and");
        put_cardinal(x, w + h + 4, 2);
        put_words(x, "seconds");
    }
    if (half != NULL) put_words(x, half);
    return true;
}

/* Groups of digits with hyphens or points between, seven digits or more with four last, are read
 * digit by digit. */
static bool read_phone(vx_expansion *x, const char *w, size_t n)
{
    size_t groups = 0, digits = 0, last = 0, at = n > 0 && w[0] == '+' ? 1 : 0;
    for (size_t first = at; at < n; at++) {
        last = digits_at(w, n, at);
        at += last;
        if (last == 0 || last > 4 || (at < n && w[at] != '-' && w[at] != '.')) return false;
        if (at < n && at > first && strchr("-.", w[at]) == NULL) return false;
        groups++;
        digits += last;
    }
    if (groups < 2 || digits < 7 || last != 4 || (groups == 2 && digits != 7)) return false;
    if (!is_digit(w[n - 1]) || memchr(w, '.', n) == NULL ? memchr(w, '-', n) == NULL : groups < 3)
        return false;
    if (w[0] == '+') put_words(x, "plus");
    put_space(x);
    vx_number_digits(w, n, &x->readings);
    return true;
}

/* "10-15" and "1914–1918": two numbers with "to" between; "16:9" is the same. */
static bool read_range(vx_expansion *x, const char *w, size_t n)
{
    size_t a = 0;
    while (a < n && (is_digit(w[a]) || ((w[a] == ',' || w[a] == '.') && a > 0)))
        a++;
    size_t sign = a < n && (w[a] == '-' || w[a] == ':')      ? 1
                  : n - a >= 3 && memcmp(w + a, "–", 3) == 0 ? 3
                                                             : 0;
    if (a == 0 || sign == 0) return false;
    size_t before = x->readings.length;
    vx_ending ending;
    put_space(x);
    if (!vx_number_token(w, a, true, x->british, &x->readings, &ending)) return false;
    put_words(x, "to");
    if (is_digit(w[a + sign]) &&
        vx_number_token(w + a + sign, n - a - sign, true, x->british, &x->readings, &ending) &&
        ending == VX_ENDING_NONE)
        return true;
    vx_strbuf_cut(&x->readings, before);
    return false;
}

static void put_fraction(vx_expansion *x, int top, const char *bottom, size_t count)
{
    static const char *const named[][2] = {
        {"half", "halves"}, {"third", "thirds"}, {"quarter", "quarters"}};
    char digits[8];
    int value = value_of(bottom, count), length = 0;
    char number[8];
    for (int rest = top; rest > 0; rest /= 10)
        digits[length++] = (char)('0' + rest % 10);
    for (int i = 0; i < length; i++)
        number[i] = digits[length - 1 - i];
    put_cardinal(x, number, (size_t)length);
    if (value <= 4) {
        put_words(x, named[value - 2][top != 1]);
        return;
    }
    put_space(x);
    vx_number_ordinal(bottom, count, x->british, &x->readings);
    if (top != 1) vx_strbuf_put(&x->readings, "s");
}

/* "3/4" and such, below one, with a denominator that people say as a part. */
static bool read_fraction(vx_expansion *x, const char *w, size_t n)
{
    size_t a = digits_at(w, n, 0), b = a > 0 && a < n && w[a] == '/' ? digits_at(w, n, a + 1) : 0;
    if (a == 0 || a > 2 || b == 0 || b > 3 || a + 1 + b != n) return false;
    int top = value_of(w, a), bottom = value_of(w + a + 1, b);
    bool said = (bottom >= 2 && bottom <= 10) || bottom == 12 || bottom == 16 || bottom == 20 ||
                bottom == 32 || bottom == 64 || bottom == 100;
    if (top < 1 || top >= bottom || !said || w[a + 1] == '0') return false;
    put_fraction(x, top, w + a + 1, b);
    return true;
}

/* "½" and "2½". */
static bool read_vulgar(vx_expansion *x, const char *w, size_t n)
{
    static const struct {
        const char *sign;
        int top;
        const char *bottom;
    } signs[] = {{"½", 1, "2"}, {"¼", 1, "4"}, {"¾", 3, "4"}, {"⅓", 1, "3"}, {"⅔", 2, "3"},
                 {"⅕", 1, "5"}, {"⅖", 2, "5"}, {"⅗", 3, "5"}, {"⅘", 4, "5"}, {"⅙", 1, "6"},
                 {"⅚", 5, "6"}, {"⅛", 1, "8"}, {"⅜", 3, "8"}, {"⅝", 5, "8"}, {"⅞", 7, "8"}};
    size_t a = digits_at(w, n, 0);
    for (size_t s = 0; s < sizeof signs / sizeof signs[0]; s++) {
        size_t m = strlen(signs[s].sign);
        if (n - a != m || memcmp(w + a, signs[s].sign, m) != 0) continue;
        if (a > 0) {
            put_cardinal(x, w, a);
            put_words(x, "and");
        }
        if (a > 0 && signs[s].top == 1) put_words(x, signs[s].bottom[0] == '8' ? "an" : "a");
        if (a > 0 && signs[s].top == 1 && strchr("234", signs[s].bottom[0]) != NULL)
            put_words(x, signs[s].bottom[0] == '2'   ? "half"
                         : signs[s].bottom[0] == '3' ? "third"
                                                     : "quarter");
        else if (a > 0 && signs[s].top == 1)
            put_space(x), vx_number_ordinal(signs[s].bottom, 1, x->british, &x->readings);
        else
            put_fraction(x, signs[s].top, signs[s].bottom, 1);
        return true;
    }
    return false;
}

static const struct unit {
    const char *text, *one, *many;
} units[] = {
    {"km", "kilometer", "kilometers"},
    {"cm", "centimeter", "centimeters"},
    {"mm", "millimeter", "millimeters"},
    {"m", "meter", "meters"},
    {"kg", "kilogram", "kilograms"},
    {"mg", "milligram", "milligrams"},
    {"g", "gram", "grams"},
    {"lb", "pound", "pounds"},
    {"lbs", "pound", "pounds"},
    {"oz", "ounce", "ounces"},
    {"ft", "foot", "feet"},
    {"yd", "yard", "yards"},
    {"mi", "mile", "miles"},
    {"ml", "milliliter", "milliliters"},
    {"mL", "milliliter", "milliliters"},
    {"mph", "mile per hour", "miles per hour"},
    {"kph", "kilometer per hour", "kilometers per hour"},
    {"km/h", "kilometer per hour", "kilometers per hour"},
    {"m/s", "meter per second", "meters per second"},
    {"Hz", "hertz", "hertz"},
    {"kHz", "kilohertz", "kilohertz"},
    {"MHz", "megahertz", "megahertz"},
    {"GHz", "gigahertz", "gigahertz"},
    {"KB", "kilobyte", "kilobytes"},
    {"kB", "kilobyte", "kilobytes"},
    {"MB", "megabyte", "megabytes"},
    {"GB", "gigabyte", "gigabytes"},
    {"TB", "terabyte", "terabytes"},
    {"kW", "kilowatt", "kilowatts"},
    {"min", "minute", "minutes"},
    {"mins", "minute", "minutes"},
    {"hr", "hour", "hours"},
    {"hrs", "hour", "hours"},
    {"ms", "millisecond", "milliseconds"},
    {"°C", "degree celsius", "degrees celsius"},
    {"°F", "degree fahrenheit", "degrees fahrenheit"},
    {"°", "degree", "degrees"},
};

static const struct unit *find_unit(const char *text, size_t length)
{
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strlen(units[i].text) == length && memcmp(text, units[i].text, length) == 0)
            return &units[i];
    return NULL;
}

/* The bytes of a number, sign included, at the start of a word. */
static size_t number_at(const char *w, size_t n)
{
    size_t at = n > 0 && w[0] == '-' ? 1 : 0, first = at;
    while (at < n && (is_digit(w[at]) || (at > first && at + 1 < n && strchr(",.", w[at]) != NULL &&
                                          is_digit(w[at + 1]))))
        at++;
    return at > first ? at : 0;
}

/* A number read as an amount, so that four digits are no year: "1500 km". */
static void put_amount(vx_expansion *x, const char *w, size_t n)
{
    if (w[0] == '-') put_words(x, "minus"), w++, n--;
    put_space(x);
    vx_number_money(w, n, NULL, x->british, &x->readings);
}

/* "5km", "20°C". */
static bool read_measure(vx_expansion *x, const char *w, size_t n)
{
    size_t a = number_at(w, n);
    const struct unit *unit = a > 0 && a < n ? find_unit(w + a, n - a) : NULL;
    if (unit == NULL) return false;
    put_amount(x, w, a);
    put_words(x, a == 1 && w[0] == '1' ? unit->one : unit->many);
    return true;
}

/* "thousand" for k, K and such behind money. */
static const char *magnitude(const char *w, size_t n)
{
    static const char *const forms[][2] = {
        {"k", "thousand"},      {"K", "thousand"},      {"m", "million"},
        {"M", "million"},       {"mn", "million"},      {"bn", "billion"},
        {"b", "billion"},       {"B", "billion"},       {"tn", "trillion"},
        {"T", "trillion"},      {"hundred", "hundred"}, {"thousand", "thousand"},
        {"million", "million"}, {"billion", "billion"}, {"trillion", "trillion"}};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (strlen(forms[i][0]) == n && memcmp(w, forms[i][0], n) == 0) return forms[i][1];
    return NULL;
}

/* $3.50, -$5, £2m, US$20, 5€; in "$5 million" the unit moves to the next word. */
static bool read_money(vx_expansion *x, size_t i, const char *w, size_t n)
{
    size_t at = n > 0 && w[0] == '-' ? 1 : 0;
    const char *nation = n > at + 2 && memcmp(w + at, "US$", 3) == 0  ? "U S"
                         : n > at + 1 && memcmp(w + at, "C$", 2) == 0 ? "canadian"
                         : n > at + 1 && memcmp(w + at, "A$", 2) == 0 ? "australian"
                                                                      : NULL;
    if (nation != NULL) at += nation[0] == 'U' ? 2 : 1;
    const vx_currency *unit = vx_currency_at(w + at, n - at);
    size_t number, count, end;
    if (unit != NULL) {
        number = at + strlen(unit->sign);
        count = number < n && w[number] != '-' ? number_at(w + number, n - number) : 0;
        end = number + count;
    } else {
        number = at;
        count = number_at(w + at, n - at);
        unit = count > 0 && at + count < n ? vx_currency_at(w + at + count, n - at - count) : NULL;
        end = unit != NULL ? at + count + strlen(unit->sign) : n;
    }
    if (unit == NULL || count == 0) return false;
    const char *scale = end < n ? magnitude(w + end, n - end) : NULL;
    if (end < n && scale == NULL) return false;
    size_t next = vx_expand_next(x, i), next_length;
    const char *next_word = vx_expand_word(x, next, &next_length);
    const char *next_scale =
        scale == NULL && next_length > 1 ? magnitude(next_word, next_length) : NULL;
    if (w[0] == '-') put_words(x, "minus");
    put_space(x);
    bool alone = scale == NULL && next_scale == NULL && nation == NULL;
    vx_number_money(w + number, count, alone ? unit : NULL, x->british, &x->readings);
    if (scale != NULL) put_words(x, scale);
    if (next_scale == NULL && !alone) {
        if (nation != NULL) put_words(x, nation);
        put_words(x, unit->many);
    }
    if (next_scale == NULL) return true;
    /* This word's reading ends here; the next one's begins. */
    size_t begin = x->tokens->token[i].read;
    vx_expand_end(x, i, begin);
    begin = vx_expand_begin(x);
    put_words(x, next_scale);
    if (nation != NULL) put_words(x, nation);
    put_words(x, unit->many);
    vx_expand_end(x, next, begin);
    return true;
}

/* The day beside a month: "November 23", "23 November". */
static bool read_day(vx_expansion *x, size_t i, const char *w, size_t n)
{
    size_t length, other_length;
    size_t previous = vx_expand_previous(x, i), next = vx_expand_next(x, i);
    size_t count = digits_at(w, n, 0);
    int day = value_of(w, count);
    if (count != n || n > 2 || day < 1 || day > 31) return false;
    const char *before = vx_expand_word(x, previous, &length);
    const char *after = vx_expand_word(x, next, &other_length);
    if (vx_month(before, length) > 0 && find_unit(after, other_length) == NULL) {
        put_space(x);
        if (x->british) put_words(x, "the"), put_space(x);
        vx_number_ordinal(w, n, x->british, &x->readings);
        return true;
    }
    if (vx_month(after, other_length) == 0) return false;
    bool article = length == 3 && (before[0] | 32) == 't' && memcmp(before + 1, "he", 2) == 0;
    if (!article) put_words(x, "the");
    put_space(x);
    vx_number_ordinal(w, n, x->british, &x->readings);
    put_words(x, "of");
    return true;
}

/* "5 km": the unit after a number that is a word of its own. */
static bool read_unit(vx_expansion *x, size_t i, const char *w, size_t n)
{
    size_t length;
    const char *number = vx_expand_word(x, vx_expand_previous(x, i), &length);
    const struct unit *unit = find_unit(w, n);
    if (unit == NULL || length == 0 || number_at(number, length) != length) return false;
    put_words(x, length == 1 && number[0] == '1' ? unit->one : unit->many);
    return true;
}

static bool read_word(vx_expansion *x, size_t i, const char *w, size_t n)
{
    if (read_unit(x, i, w, n)) return true;
    if (strcspn(w, "0123456789") >= n) return read_vulgar(x, w, n);
    const char *half = NULL;
    size_t length;
    const char *next = vx_expand_word(x, vx_expand_next(x, i), &length);
    bool followed = length > 0 && half_of_day(next, length, &half) == length;
    return read_date(x, w, n) || read_time(x, w, n, followed) || read_phone(x, w, n) ||
           read_fraction(x, w, n) || read_range(x, w, n) || read_vulgar(x, w, n) ||
           read_measure(x, w, n) || read_money(x, i, w, n) || read_day(x, i, w, n);
}

void vx_expand_numbers(vx_expansion *x)
{
    for (size_t i = 0; i < x->tokens->count; i++) {
        vx_token *token = &x->tokens->token[i];
        if (token->kind != VX_TOKEN_WORD || token->read_length > 0) continue;
        size_t begin = vx_expand_begin(x);
        token->read = (uint32_t)begin;
        if (!read_word(x, i, x->text + token->start, token->length))
            vx_strbuf_cut(&x->readings, begin);
        else if (token->read_length == 0)
            vx_expand_end(x, i, begin);
    }
}
