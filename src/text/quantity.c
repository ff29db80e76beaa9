/* Amounts: a number with its money, size, unit and rate, and ranges of them.
 *
 *     amount = [sign] [money] number [part] [scale] [money] [unit {"/" unit}]
 *     what   = amount [("-" | "–") amount] [scale] [unit] ["/" rate]
 *
 * What stands behind the second end of a range belongs to both: "$5-10 million". */
#include <string.h>

#include "text/numbers.h"
#include "text/readers.h"
#include "text/scan.h"
#include "text/units.h"

/* Digits beyond this are no amount that anybody says. */
enum { NUMBER_BYTES = 48 };

typedef struct amount {
    char number[NUMBER_BYTES]; /* digits with at most one point; nothing for a part alone */
    size_t count;
    const char *raw; /* as typed */
    size_t raw_length;
    bool minus, plus, grouped;
    const char *nation; /* "U S" of US$ */
    const vx_currency *money;
    const char *scale;
    bool letter; /* the scale is a letter, and no money stands there: "10K" may be a name */
    int top;     /* of a part, 0 for none */
    const char *bottom;
    size_t bottom_count;
    const vx_unit *unit;
    size_t unit_at, unit_bytes; /* with what it is divided by */
    size_t space;               /* where one parts the number from scale or unit; 0 for none */
    size_t end;
    bool adjunct; /* "a $20 bill", "a 5 km run": said in the singular */
} amount;

/* Three digits behind a space or an apostrophe that part thousands; its bytes with them. */
static size_t group_at(const char *t, size_t n, size_t at)
{
    size_t sign = vx_word_at(t, n, at, " ") || vx_word_at(t, n, at, "'") ? 1
                  : vx_word_at(t, n, at, "’")                            ? strlen("’")
                                                                         : 0;
    return sign > 0 && vx_digits_at(t, n, at + sign) == 3 ? sign + 3 : 0;
}

static bool add_digits(amount *a, const char *digits, size_t count)
{
    if (a->count + count > sizeof a->number) return false;
    memcpy(a->number + a->count, digits, count);
    a->count += count;
    return true;
}

/* Groups of three digits behind points, two and more: ".000.000". */
static size_t point_groups(const char *t, size_t n, size_t at)
{
    size_t groups = 0;
    while (vx_word_at(t, n, at + 4 * groups, ".") && vx_digits_at(t, n, at + 4 * groups + 1) == 3)
        groups++;
    return groups > 1 ? groups : 0;
}

/* Groups of three digits behind commas, in India of two before the last; their bytes. 0 when they
 * are no thousands ("1,2,3") or too many. */
static size_t comma_groups(const char *t, size_t n, size_t at, amount *a)
{
    size_t first = at, m;
    while (at < n && t[at] == ',' && (m = vx_digits_at(t, n, at + 1)) > 0) {
        bool last = !vx_word_at(t, n, at + 1 + m, ",") || vx_digits_at(t, n, at + 2 + m) == 0;
        if (m != 3 && (m != 2 || last)) return 0;
        if (!add_digits(a, t + at + 1, m)) return 0;
        at += m + 1;
    }
    return at - first;
}

/* The digits of a number, thousands' signs left out. Returns where it ends, 0 for no number. */
static size_t scan_number(const char *t, size_t n, size_t at, amount *a)
{
    size_t first = at, whole = vx_digits_at(t, n, at), group;
    if (!add_digits(a, t + at, whole)) return 0;
    at += whole;
    /* "1,5 kg", "2.000.000": as most of Europe writes them. */
    size_t tail = vx_word_at(t, n, at, ",") ? vx_digits_at(t, n, at + 1) : 0;
    bool decimal = (tail == 1 || tail == 2) && !vx_word_at(t, n, at + 1 + tail, ",");
    if (decimal) {
        if (!add_digits(a, ".", 1) || !add_digits(a, t + at + 1, tail)) return 0;
        at += tail + 1;
    }
    size_t points = whole > 0 && whole <= 3 && !decimal ? point_groups(t, n, at) : 0;
    /* "1.234,56" */
    bool euro = points == 0 && whole > 0 && whole <= 3 && t[first] != '0' &&
                vx_word_at(t, n, at, ".") && vx_digits_at(t, n, at + 1) == 3 &&
                vx_word_at(t, n, at + 4, ",") && vx_digits_at(t, n, at + 5) == 2 &&
                vx_boundary_at(t, n, at + 7);
    points += euro;
    for (size_t k = 0; k < points; k++, at += 4, a->grouped = true)
        if (!add_digits(a, t + at + 1, 3)) return 0;
    if (whole > 0 && whole <= 3 && t[first] != '0')
        for (; (group = group_at(t, n, at)) > 0; at += group, a->grouped = true)
            if (!add_digits(a, t + at + group - 3, 3)) return 0;
    /* "1 800 555 0199" and "12 345 6789" are no thousands. */
    if (a->grouped && at < n && t[at] == ' ' && vx_digits_at(t, n, at + 1) > 0) return 0;
    if (points > 0 && vx_word_at(t, n, at, ",") && vx_digits_at(t, n, at + 1) == 2) {
        if (!add_digits(a, ".", 1) || !add_digits(a, t + at + 1, 2)) return 0;
        at += 3;
        decimal = true;
    }
    size_t commas = a->grouped || decimal ? 0 : comma_groups(t, n, at, a);
    if (commas == 0 && !a->grouped && !decimal && vx_word_at(t, n, at, ",") && tail > 0) return 0;
    at += commas;
    if (!decimal && at < n && t[at] == '.' && vx_digits_at(t, n, at + 1) > 0) {
        size_t m = vx_digits_at(t, n, at + 1);
        if (!add_digits(a, t + at, m + 1)) return 0;
        at += m + 1;
        if (at + 1 < n && t[at] == '.' && vx_is_digit(t[at + 1])) return 0; /* a version */
    }
    if (a->count == 0 || (at < n && vx_is_digit(t[at]))) return 0;
    a->grouped |= commas > 0 && whole <= 3;
    a->raw = t + first;
    a->raw_length = at - first;
    return at;
}

/* Money in front of the number. */
static size_t scan_money(const char *t, size_t n, size_t at, amount *a)
{
    static const char *const nations[][2] = {
        {"US$", "U S"},        {"C$", "canadian"},     {"CA$", "canadian"},  {"A$", "australian"},
        {"AU$", "australian"}, {"NZ$", "new zealand"}, {"HK$", "hong kong"}, {"S$", "singapore"}};
    size_t skip = 0;
    for (size_t i = 0; i < sizeof nations / sizeof nations[0]; i++) {
        if (!vx_word_at(t, n, at, nations[i][0])) continue;
        a->nation = nations[i][1];
        skip = strlen(nations[i][0]) - 1;
    }
    if ((a->money = vx_currency_at(t + at + skip, n - at - skip)) != NULL) {
        at += skip + strlen(a->money->sign);
    } else if ((a->money = vx_currency_code_at(t + at, n - at)) != NULL) {
        at += 3;
    } else {
        a->nation = NULL;
        return at;
    }
    return at + 1 < n && t[at] == ' ' && (vx_is_digit(t[at + 1]) || t[at + 1] == '.') ? at + 1 : at;
}

/* "million", "bn" behind the number. */
static size_t scan_scale(const char *t, size_t n, size_t at, amount *a)
{
    size_t space = at < n && (t[at] == ' ' || t[at] == '-') ? 1 : 0;
    size_t length = vx_letters_at(t, n, at + space);
    if (length == 0 || !vx_boundary_at(t, n, at + space + length)) return at;
    /* Short forms are money's, for "5 m" is a length; "10K" is said as it stands. */
    bool spelt = space > 0 && (a->money == NULL || length < 2);
    const char *scale = vx_magnitude(t + at + space, length, spelt || a->money == NULL);
    if (scale == NULL && space == 0 && length == 1 && strchr("kKM", t[at]) != NULL) {
        scale = t[at] == 'M' ? "million" : "thousand";
        a->letter = true;
    }
    if (scale == NULL) return at;
    a->scale = scale;
    if (space > 0 && t[at] == ' ') a->space = at;
    return at + space + length;
}

/* Money behind it: "5€", "5 €", "99¢", "20 USD". */
static size_t scan_money_behind(const char *t, size_t n, size_t at, amount *a)
{
    static const vx_currency cents = {"¢", "cent", "cents", NULL, NULL};
    size_t space = at < n && t[at] == ' ' ? 1 : 0, from = at + space;
    if (from >= n) return at;
    const vx_currency *money = vx_currency_at(t + from, n - from);
    if (money == NULL) money = vx_currency_code_at(t + from, n - from);
    if (money == NULL && vx_word_at(t, n, from, cents.sign)) money = &cents;
    if (money == NULL) return at;
    size_t end = from + strlen(money->sign);
    if (vx_digits_at(t, n, end) > 0) return at; /* the next amount's sign */
    a->money = money;
    return end;
}

/* "$50 USD": whose dollars they are. */
static size_t scan_nation_behind(const char *t, size_t n, size_t at, amount *a)
{
    static const char *const codes[][2] = {{" USD", "U S"},        {" CAD", "canadian"},
                                           {" AUD", "australian"}, {" NZD", "new zealand"},
                                           {" HKD", "hong kong"},  {" SGD", "singapore"}};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        size_t end = at + strlen(codes[i][0]);
        if (!vx_word_at(t, n, at, codes[i][0]) || !vx_boundary_at(t, n, end)) continue;
        a->nation = codes[i][1];
        a->space = 0;
        return end;
    }
    return at;
}

static size_t power_at(const char *t, size_t n, size_t at, int *power)
{
    static const struct {
        const char *text;
        int power;
    } signs[] = {{"²", 2}, {"³", 3}, {"^2", 2}, {"^3", 3}, {"2", 2}, {"3", 3}};
    *power = 1;
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        size_t end = at + strlen(signs[i].text);
        if (!vx_word_at(t, n, at, signs[i].text) || !vx_boundary_at(t, n, end)) continue;
        *power = signs[i].power;
        return end - at;
    }
    return 0;
}

/* Where the unit at `at` ends, with its power and what it is divided by, which are said too when
 * `x` is there. */
static size_t walk_unit(vx_expansion *x, const char *t, size_t n, size_t at, const vx_unit *unit,
                        size_t bytes, bool one)
{
    for (bool first = true;; first = false, one = true) {
        int power = 1;
        at += bytes;
        if (vx_is_letter(t[at - 1])) at += power_at(t, n, at, &power);
        if (x != NULL) {
            if (!first) vx_put_words(x, "per");
            bool area = (unit->how & VX_UNIT_AREA) != 0 && power > 1;
            if (area) vx_put_words(x, power == 2 ? "square" : "cubic");
            vx_put_words(x, one ? unit->one : unit->many);
            if (power > 1 && !area) vx_put_words(x, power == 2 ? "squared" : "cubed");
        }
        if (at >= n || t[at] != '/') return at;
        size_t digits = vx_digits_at(t, n, at + 1), next = at + 1 + digits;
        bool round = digits > 0 && t[at + 1] == '1' && vx_only(t + at + 2, digits - 1, "0");
        if (digits > 0 && !round) return at; /* "40°C/104°F" */
        bool spaced = digits > 0 && next < n && t[next] == ' ';
        unit = vx_unit_at(t, n, next + spaced, true, &bytes);
        if (unit == NULL || unit->text[0] == '%') return at;
        if (digits > 0) { /* "5 L/100 km" */
            if (x != NULL) {
                vx_put_words(x, "per");
                if (vx_digits_value(t + at + 1, digits) == 100)
                    vx_put_words(x, "hundred");
                else
                    vx_put_cardinal(x, t + at + 1, digits);
                vx_put_words(x, unit->many);
            }
            return next + spaced + bytes;
        }
        at++;
    }
}

/* "70 F", "20C": temperatures without their ring. */
static const vx_unit *bare_degrees(const amount *a, const char *t, size_t n, size_t at)
{
    static const vx_unit degrees[] = {{"F", "degree fahrenheit", "degrees fahrenheit", 0},
                                      {"C", "degree celsius", "degrees celsius", 0}};
    if (a->count < 2 - (size_t)a->minus || a->count > 4 || !vx_boundary_at(t, n, at + 1))
        return NULL;
    /* "70 F Street" */
    if (at + 2 < n && t[at + 1] == ' ' && t[at + 2] >= 'A' && t[at + 2] <= 'Z') return NULL;
    for (size_t i = 0; i < 2; i++)
        if (vx_word_at(t, n, at, degrees[i].text)) return &degrees[i];
    return NULL;
}

static size_t scan_unit(const char *t, size_t n, size_t at, amount *a)
{
    size_t space = at < n && t[at] == ' ' ? 1 : 0, bytes;
    const vx_unit *unit = vx_unit_at(t, n, at + space, space > 0, &bytes);
    /* "5 m" is money's million when a currency stands before it. */
    if (unit == NULL && at + space < n) {
        unit = bare_degrees(a, t, n, at + space);
        bytes = 1;
    }
    if (unit == NULL) return at;
    a->unit = unit;
    a->unit_at = at + space;
    a->unit_bytes = bytes;
    if (space > 0 && a->space == 0) a->space = at;
    return walk_unit(NULL, t, n, a->unit_at, unit, bytes, true);
}

static bool scan_amount(const char *t, size_t n, size_t at, amount *a)
{
    *a = (amount){.raw = t};
    size_t first = at;
    if (at < n && (t[at] == '-' || t[at] == '+')) {
        a->minus = t[at] == '-';
        a->plus = !a->minus;
        at++;
    }
    at = scan_money(t, n, at, a);
    if (a->money != NULL && at < n && t[at] == '-') a->minus = true, at++;
    if (at >= n) return false;
    size_t part = vx_fraction_at(t, n, at, &a->top, &a->bottom, &a->bottom_count);
    if (part > 0 && a->money == NULL && !a->plus && !a->minus) {
        a->raw_length = part;
        at += part;
    } else {
        a->top = 0;
        bool point = t[at] == '.';
        if (point && (at > first ? a->money == NULL && !a->minus : false)) return false;
        size_t end = scan_number(t, n, at, a);
        if (end == 0) return false;
        at = end;
        size_t join = at < n && (t[at] == ' ' || t[at] == '-') ? 1 : 0;
        part = point || a->grouped || memchr(a->number, '.', a->count) != NULL
                   ? 0
                   : vx_fraction_at(t, n, at + join, &a->top, &a->bottom, &a->bottom_count);
        if (part == 0) a->top = 0;
        at += part > 0 ? join + part : 0;
    }
    at = scan_scale(t, n, at, a);
    if (a->money == NULL) at = scan_money_behind(t, n, at, a);
    if (a->nation == NULL && a->money != NULL && a->money->sign[0] == '$')
        at = scan_nation_behind(t, n, at, a);
    if (a->money == NULL) at = scan_unit(t, n, at, a);
    a->end = at;
    return vx_boundary_at(t, n, at) || a->unit != NULL;
}

static bool is_one(const amount *a)
{
    return a->count == 1 && a->number[0] == '1' && a->top == 0 && a->scale == NULL;
}

static void put_number(vx_expansion *x, const amount *a, bool counts)
{
    if (a->minus) vx_put_words(x, "minus");
    if (a->plus) vx_put_words(x, "plus");
    if (a->count == 0) {
        vx_put_fraction(x, a->top, a->bottom, a->bottom_count);
        return;
    }
    vx_ending ending;
    vx_put_words(x, "");
    if (counts || a->grouped || a->top > 0)
        vx_put_amount(x, a->number, a->count);
    else
        vx_number_token(a->raw, a->raw_length, true, x->british, &x->readings, &ending);
    if (a->top > 0) vx_put_and_fraction(x, a->top, a->bottom, a->bottom_count);
}

/* Behind "a" and before a noun: "a $5 million deal". Cents are not said so. */
static bool is_adjunct(const vx_expansion *x, size_t i, const char *t, size_t n, const amount *a)
{
    static const char links[] = " and but for from into off out over per plus than that the then "
                                "this under was were when which will with worth more less each ";
    size_t length, noun = vx_word_at(t, n, a->end, " ") ? vx_letters_at(t, n, a->end + 1) : 0;
    const char *before = vx_expand_word(x, vx_expand_previous(x, i), &length);
    if (!vx_in_list(" a an another every A An Another Every ", before, length)) return false;
    if (noun < 3 || t[a->end + 1] < 'a' || t[a->end + 1] > 'z') return false;
    bool cents = a->money != NULL && a->scale == NULL && memchr(a->number, '.', a->count) != NULL;
    return !cents && !vx_in_list(links, t + a->end + 1, noun);
}

static void put_money(vx_expansion *x, const amount *a)
{
    bool plain = a->scale == NULL && a->nation == NULL && a->top == 0 && !a->adjunct;
    if (plain) {
        if (a->minus) vx_put_words(x, "minus");
        vx_put_words(x, "");
        vx_number_money(a->number, a->count, a->money, x->british, &x->readings);
        return;
    }
    put_number(x, a, true);
    vx_expand_split(x, a->space);
    if (a->scale != NULL) vx_put_words(x, a->scale);
    if (a->nation != NULL) vx_put_words(x, a->nation);
    vx_put_words(x, is_one(a) || a->adjunct ? a->money->one : a->money->many);
}

static void put_amount(vx_expansion *x, const char *t, size_t n, const amount *a)
{
    if (a->money != NULL) {
        put_money(x, a);
        return;
    }
    put_number(x, a, a->unit != NULL || a->scale != NULL);
    vx_expand_split(x, a->space);
    if (a->scale != NULL) vx_put_words(x, a->scale);
    if (a->unit == NULL) return;
    bool part = a->count == 0 && a->unit->text[0] != '%';
    if (part) vx_put_words(x, a->top == 1 && a->bottom[0] == '2' ? "a" : "of a");
    walk_unit(x, t, n, a->unit_at, a->unit, a->unit_bytes, is_one(a) || part || a->adjunct);
}

/* The first end of a range without what the second says for both. */
static void put_first(vx_expansion *x, const char *t, size_t n, const amount *a, const amount *b)
{
    bool cents = a->money != NULL && memchr(a->number, '.', a->count) != NULL && a->scale == NULL &&
                 b->scale == NULL && a->money->hundredth != NULL;
    bool same_unit = a->unit == NULL || a->unit == b->unit;
    bool same_money = a->money == NULL || a->money == b->money;
    if (cents || !same_unit || !same_money) {
        put_amount(x, t, n, a);
        return;
    }
    put_number(x, a, b->unit != NULL || b->money != NULL || b->scale != NULL);
    if (a->scale != NULL && a->scale != b->scale) vx_put_words(x, a->scale);
}

/* "/month" behind an amount; 0 bytes when there is none. */
static size_t put_rate(vx_expansion *x, const char *t, size_t n, size_t at, bool money)
{
    size_t bytes, skip = at + 1;
    if (at >= n || t[at] != '/') return 0;
    const char *word = vx_per_at(t, n, skip, &bytes);
    if (word == NULL) {
        const vx_unit *unit = vx_unit_at(t, n, skip, false, &bytes);
        if (unit == NULL || !money) return 0;
        word = unit->one;
    }
    bool vowel = strchr("aeiou", word[0]) != NULL || strcmp(word, "hour") == 0;
    bool an = vowel && strcmp(word, "user") != 0 && strcmp(word, "unit") != 0;
    vx_put_words(x, !money || strcmp(word, "annum") == 0 ? "per" : an ? "an" : "a");
    vx_put_words(x, word);
    return 1 + bytes;
}

/* "5-km run", "10-lb bag": one thing of that size. */
static size_t put_size(vx_expansion *x, const char *t, size_t n, const amount *a)
{
    size_t bytes;
    if (a->end >= n || t[a->end] != '-' || a->money != NULL || a->scale != NULL) return 0;
    const vx_unit *unit = vx_unit_at(t, n, a->end + 1, true, &bytes);
    if (unit == NULL && vx_word_at(t, n, a->end + 1, "in") && vx_boundary_at(t, n, a->end + 3))
        unit = vx_unit_at("in", 2, 0, false, &bytes);
    if (unit == NULL || bytes < 2 || vx_word_at(t, n, a->end + 1 + bytes, "-")) return 0;
    put_number(x, a, true);
    vx_put_words(x, unit->one);
    return a->end + 1 + bytes;
}

/* "6 ft 2 in": the inches behind the feet. */
static size_t put_inches(vx_expansion *x, const char *t, size_t n, size_t at)
{
    size_t first = at + (vx_word_at(t, n, at, ".") ? 1 : 0);
    first += vx_word_at(t, n, first, " ") ? 1 : 0;
    size_t digits = vx_digits_at(t, n, first), unit = first + digits;
    if (digits == 0 || digits > 2) return 0;
    unit += vx_word_at(t, n, unit, " ") ? 1 : 0;
    if (!vx_word_at(t, n, unit, "in") || !vx_boundary_at(t, n, unit + 2)) return 0;
    vx_put_words(x, "");
    vx_put_amount(x, t + first, digits);
    vx_put_words(x, digits == 1 && t[first] == '1' ? "inch" : "inches");
    return unit + 2 - at;
}

static bool has_kind(const amount *a)
{
    return a->money != NULL || a->unit != NULL || a->scale != NULL;
}

/* A range without money, unit or size is a reader's of its own (maths.c). */
static size_t read_two(vx_expansion *x, size_t i, const char *t, size_t n, amount *a)
{
    amount b;
    size_t dash = vx_dash_at(t, n, a->end, true), at = a->end + dash;
    if (dash == 0 || !scan_amount(t, n, at, &b) || b.plus) return 0;
    if (b.minus && !a->minus) return 0;
    if (b.money == NULL && b.unit == NULL && a->money != NULL) {
        b.money = a->money;
        b.nation = a->nation;
    }
    if (!has_kind(&b) || (a->unit != NULL && b.unit == NULL)) return 0;
    if (vx_dash_at(t, n, b.end, false) > 0 && vx_digits_at(t, n, b.end + 1) > 0) return 0;
    b.adjunct = is_adjunct(x, i, t, n, &b);
    put_first(x, t, n, a, &b);
    vx_put_words(x, "to");
    put_amount(x, t, n, &b);
    vx_expand_split(x, 0); /* the range is one word */
    return b.end + put_rate(x, t, n, b.end, b.money != NULL);
}

size_t vx_read_quantity(vx_expansion *x, size_t i, const char *t, size_t n)
{
    amount a;
    if (!scan_amount(t, n, 0, &a)) return 0;
    a.adjunct = is_adjunct(x, i, t, n, &a);
    size_t before = x->readings.length, used = read_two(x, i, t, n, &a);
    if (used > 0) return used;
    vx_strbuf_cut(&x->readings, before);
    if ((used = put_size(x, t, n, &a)) > 0) return used;
    /* "4K", "3M" and the "10K" that is run are names. */
    bool name = a.letter && a.money == NULL && memchr(a.number, '.', a.count) == NULL &&
                (a.scale[0] == 't' || a.count == 1);
    if (name) return 0;
    /* "3 million people": plain words are read as they stand. */
    bool spelt = a.scale != NULL && a.money == NULL && a.unit == NULL && a.space > 0;
    bool kind = (has_kind(&a) && !spelt) || (a.grouped && !spelt) || (a.top > 0 && a.count > 0) ||
                (a.plus && !spelt);
    size_t bytes, space = vx_word_at(t, n, a.end, " ") ? 1 : 0;
    size_t noun = space > 0 ? vx_letters_at(t, n, a.end + 1) : 0;
    bool rate = vx_word_at(t, n, a.end + space + noun, "/") &&
                vx_per_at(t, n, a.end + space + noun + 1, &bytes) != NULL;
    if (rate && a.money == NULL && a.unit == NULL && (noun == 0 || noun > 2)) {
        /* "60/min", "7 days/week" */
        size_t end = a.end + space + noun;
        put_number(x, &a, true);
        if (a.scale != NULL) vx_put_words(x, a.scale);
        vx_put_words(x, "");
        vx_strbuf_add(&x->readings, t + a.end + space, noun);
        return end + put_rate(x, t, n, end, false);
    }
    if (!kind) return 0;
    put_amount(x, t, n, &a);
    bool feet = a.unit != NULL && vx_text_is(a.unit->text, a.unit_bytes, "ft");
    size_t inches = feet ? put_inches(x, t, n, a.end) : 0;
    if (inches > 0) vx_expand_split(x, 0);
    used = a.end + inches;
    amount other; /* "40°C/104°F" */
    if (a.unit != NULL && vx_word_at(t, n, used, "/") && scan_amount(t, n, used + 1, &other) &&
        other.unit != NULL) {
        vx_expand_split(x, 0);
        vx_strbuf_put(&x->readings, ",");
        put_amount(x, t, n, &other);
        return other.end;
    }
    return used + put_rate(x, t, n, used, a.money != NULL);
}
