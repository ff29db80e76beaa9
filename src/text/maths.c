/* Ranges of plain numbers, fractions, heights, powers and products, pairs with a slash. */
#include <string.h>

#include "text/numbers.h"
#include "text/readers.h"
#include "text/scan.h"
#include "text/units.h"

size_t vx_dash_at(const char *t, size_t n, size_t at, bool spaced)
{
    static const char *const dashes[] = {"-", "–", " - ", " – "};
    for (size_t i = 0; i < (spaced ? 4u : 2u); i++)
        if (vx_word_at(t, n, at, dashes[i])) return strlen(dashes[i]);
    return 0;
}

/* Bytes of a number as a range's end: digits, inner commas and points. */
static size_t plain_number(const char *t, size_t n, size_t at)
{
    size_t from = at;
    while (at < n && (vx_is_digit(t[at]) ||
                      (at > from && at + 1 < n && strchr(",.", t[at]) && vx_is_digit(t[at + 1]))))
        at++;
    return at - from;
}

/* "10-15", "1914–1918": two numbers with "to" between; "16:9" is the same, "50-50" has none. */
size_t vx_read_range(vx_expansion *x, size_t i, const char *t, size_t n)
{
    (void)i;
    size_t a = plain_number(t, n, 0);
    size_t sign = vx_word_at(t, n, a, ":") ? 1 : vx_dash_at(t, n, a, false), second = a + sign;
    size_t b = sign > 0 ? plain_number(t, n, second) : 0;
    if (a == 0 || b == 0) return 0;
    size_t end = second + b;
    if (end < n && vx_is_letter(t[end])) { /* the ordinals' and the decades' endings */
        size_t letters = vx_letters_at(t, n, end);
        if (letters > 2) return 0;
        end += letters;
        b += letters;
    }
    if (!vx_boundary_at(t, n, end) ||
        (vx_dash_at(t, n, end, false) > 0 && end + 1 < n && vx_is_digit(t[end + 1])))
        return 0;
    vx_ending ending;
    /* A 747-400 is an aeroplane. */
    bool name = a == 3 && b == 3 && t[0] == '7' && t[2] == '7' && t[a] == '-' &&
                vx_digits_value(t + second, 3) < vx_digits_value(t, 3);
    vx_put_words(x, "");
    if (!vx_number_token(t, a, !name, x->british, &x->readings, &ending)) return 0;
    bool same = t[a] != ':' && a == b && memcmp(t, t + second, a) == 0;
    vx_put_words(x, same || name ? "" : "to");
    vx_put_words(x, "");
    if (!vx_number_token(t + second, b, true, x->british, &x->readings, &ending)) return 0;
    if (ending == VX_ENDING_S) vx_strbuf_put(&x->readings, "s");
    return ending == VX_ENDING_NONE || ending == VX_ENDING_S ? end : 0;
}

void vx_put_fraction(vx_expansion *x, int top, const char *bottom, size_t count)
{
    static const char *const named[][2] = {
        {"half", "halves"}, {"third", "thirds"}, {"quarter", "quarters"}};
    int value = vx_digits_value(bottom, count);
    char digits[2] = {(char)('0' + top / 10), (char)('0' + top % 10)};
    vx_put_cardinal(x, top > 9 ? digits : digits + 1, top > 9 ? 2 : 1);
    if (value <= 4) {
        vx_put_words(x, named[value - 2][top != 1]);
        return;
    }
    vx_put_words(x, "");
    vx_number_ordinal(bottom, count, x->british, &x->readings);
    if (top != 1) vx_strbuf_put(&x->readings, "s");
}

void vx_put_and_fraction(vx_expansion *x, int top, const char *bottom, size_t count)
{
    int value = vx_digits_value(bottom, count);
    vx_put_words(x, "and");
    if (top != 1) {
        vx_put_fraction(x, top, bottom, count);
        return;
    }
    vx_put_words(x, value == 8 ? "an" : "a");
    vx_put_words(x, value == 2 ? "half" : value == 3 ? "third" : value == 4 ? "quarter" : "");
    if (value > 4) vx_number_ordinal(bottom, count, x->british, &x->readings);
}

/* "3/4" and such, below one, with a denominator that people say as a part. */
static size_t slashed_at(const char *t, size_t n, size_t at, int *top, const char **bottom,
                         size_t *count)
{
    static const int said[] = {2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 20, 32, 64, 100};
    size_t a = vx_digits_at(t, n, at);
    size_t b = vx_word_at(t, n, at + a, "/") ? vx_digits_at(t, n, at + a + 1) : 0;
    size_t end = at + a + 1 + b;
    if (a == 0 || a > 2 || b == 0 || b > 3 || !vx_boundary_at(t, n, end)) return 0;
    if (vx_word_at(t, n, end, "/") || t[at + a + 1] == '0') return 0;
    *top = vx_digits_value(t + at, a);
    *bottom = t + at + a + 1;
    *count = b;
    int value = vx_digits_value(*bottom, b);
    bool known = false;
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++)
        known |= value == said[i];
    return known && *top >= 1 && *top < value ? end - at : 0;
}

size_t vx_fraction_at(const char *t, size_t n, size_t at, int *top, const char **bottom,
                      size_t *count)
{
    static const struct {
        const char *sign;
        int top;
        const char *bottom;
    } signs[] = {{"½", 1, "2"}, {"¼", 1, "4"}, {"¾", 3, "4"}, {"⅓", 1, "3"}, {"⅔", 2, "3"},
                 {"⅕", 1, "5"}, {"⅖", 2, "5"}, {"⅗", 3, "5"}, {"⅘", 4, "5"}, {"⅙", 1, "6"},
                 {"⅚", 5, "6"}, {"⅛", 1, "8"}, {"⅜", 3, "8"}, {"⅝", 5, "8"}, {"⅞", 7, "8"},
                 {"⅐", 1, "7"}, {"⅑", 1, "9"}, {"⅒", 1, "10"}};
    for (size_t s = 0; s < sizeof signs / sizeof signs[0]; s++) {
        if (!vx_word_at(t, n, at, signs[s].sign)) continue;
        *top = signs[s].top;
        *bottom = signs[s].bottom;
        *count = strlen(*bottom);
        return strlen(signs[s].sign);
    }
    return slashed_at(t, n, at, top, bottom, count);
}

/* "9/10 dentists", "4/5 stars": so many of them, where they are counted and not measured. */
static bool put_out_of(vx_expansion *x, const char *t, size_t n, size_t at, int top,
                       const char *bottom, size_t count)
{
    static const char measures[] = " miles inches cups ounces pounds meters seconds minutes hours "
                                   "degrees acres points this is was his has as times yards ";
    size_t noun = vx_word_at(t, n, at, " ") ? vx_letters_at(t, n, at + 1) : 0;
    int value = vx_digits_value(bottom, count);
    bool score = value == 5 || value == 10 || value == 100;
    if (!score || top < 2 || noun < 4 || t[at + noun] != 's' || t[at + noun - 1] == 's' ||
        vx_in_list(measures, t + at + 1, noun))
        return false;
    char digits[2] = {(char)('0' + top / 10), (char)('0' + top % 10)};
    vx_put_cardinal(x, top > 9 ? digits : digits + 1, top > 9 ? 2 : 1);
    vx_put_words(x, "out of");
    vx_put_cardinal(x, bottom, count);
    return true;
}

/* "2/3rds", "3/8ths" */
static size_t read_part_ending(vx_expansion *x, const char *t, size_t n)
{
    size_t a = vx_digits_at(t, n, 0), b = vx_word_at(t, n, a, "/") ? vx_digits_at(t, n, a + 1) : 0;
    size_t end = a + 1 + b, ending = b > 0 ? vx_letters_at(t, n, end) : 0, count;
    int top;
    const char *bottom;
    if (ending == 0 || !vx_in_list(" rd rds th ths ", t + end, ending)) return 0;
    if (!vx_boundary_at(t, n, end + ending) || slashed_at(t, end, 0, &top, &bottom, &count) == 0)
        return 0;
    vx_put_fraction(x, top, bottom, count);
    return end + ending;
}

size_t vx_read_fraction(vx_expansion *x, size_t i, const char *t, size_t n)
{
    (void)i;
    int top;
    const char *bottom;
    size_t count, used = vx_fraction_at(t, n, 0, &top, &bottom, &count);
    if (used == 0) return read_part_ending(x, t, n);
    if (put_out_of(x, t, n, used, top, bottom, count)) return used;
    vx_put_fraction(x, top, bottom, count);
    /* "a 3/4-inch bolt" */
    size_t letters = vx_word_at(t, n, used, "-") ? vx_letters_at(t, n, used + 1) : 0;
    if (letters == 0) return used;
    vx_put_words(x, "");
    vx_strbuf_add(&x->readings, t + used + 1, letters);
    return used + 1 + letters;
}

/* "1,2,3" and "1-2-3": numbers one by one, where the commas part no thousands. */
size_t vx_read_list(vx_expansion *x, size_t i, const char *t, size_t n)
{
    (void)i;
    size_t at = vx_digits_at(t, n, 0), count = 1, last = at;
    if (at == 0 || at >= n || (t[at] != ',' && t[at] != '-')) return 0;
    char sign = t[at];
    for (size_t m; at < n && t[at] == sign && (m = vx_digits_at(t, n, at + 1)) > 0; count++) {
        last = m;
        at += m + 1;
    }
    if (!vx_boundary_at(t, n, at) || (sign == ',' ? last == 3 : count < 3) || count < 2) return 0;
    for (size_t from = 0, digits; from < at; from += digits + 1) {
        digits = vx_digits_at(t, n, from);
        vx_put_cardinal(x, t + from, digits);
        if (sign == ',' && from + digits < at) vx_strbuf_put(&x->readings, ",");
    }
    return at;
}

/* 5'10": feet and inches. */
size_t vx_read_height(vx_expansion *x, size_t i, const char *t, size_t n)
{
    static const char *const feet[] = {"'", "’"}, *const inches[] = {"\"", "”", "''", "’’"};
    (void)i;
    size_t a = vx_digits_at(t, n, 0), sign = 0, close = 0;
    for (size_t k = 0; k < 2 && sign == 0; k++)
        if (vx_word_at(t, n, a, feet[k])) sign = strlen(feet[k]);
    size_t second = a + sign + (sign > 0 && vx_word_at(t, n, a + sign, " ") ? 1 : 0);
    size_t b = vx_digits_at(t, n, second);
    for (size_t k = 0; k < 4 && close == 0; k++)
        if (vx_word_at(t, n, second + b, inches[k])) close = strlen(inches[k]);
    if (a < 1 || a > 2 || sign == 0 || b < 1 || b > 2 || vx_digits_value(t + second, b) > 11)
        return 0;
    if (close == 0 && (second > a + sign || !vx_boundary_at(t, n, second + b))) return 0;
    vx_put_cardinal(x, t, a);
    vx_put_words(x, a == 1 && t[0] == '1' ? "foot" : "feet");
    vx_put_cardinal(x, t + second, b);
    vx_put_words(x, b == 1 && t[second] == '1' ? "inch" : "inches");
    return second + b + close;
}

/* A product's result stands no farther behind its first sign than that. */
enum { RESULT_NEAR = 24 };

/* A number or one letter that is reckoned with. */
static size_t operand_at(const char *t, size_t n, size_t at)
{
    size_t digits = plain_number(t, n, at);
    bool by = vx_word_at(t, n, at + digits, "x") && vx_digits_at(t, n, at + digits + 1) > 0;
    if (digits > 0) return by || vx_boundary_at(t, n, at + digits) ? digits : 0;
    return vx_letters_at(t, n, at) == 1 && vx_boundary_at(t, n, at + 1) ? 1 : 0;
}

static void put_operand(vx_expansion *x, const char *t, size_t length)
{
    char letter[] = "A";
    if (vx_is_digit(t[0])) {
        vx_put_words(x, "");
        vx_put_amount(x, t, length);
        return;
    }
    letter[0] = (char)(t[0] & ~32);
    vx_put_words(x, letter);
}

static const char *operator_at(const char *t, size_t n, size_t at, size_t *bytes)
{
    static const char *const words[][2] = {{"*", "times"},      {"×", "times"}, {"/", "over"},
                                           {"÷", "divided by"}, {"+", "plus"},  {"-", "minus"},
                                           {"=", "equals"},     {"·", "times"}};
    size_t space = vx_word_at(t, n, at, " ") ? 1 : 0;
    bool digits = at > 0 && vx_is_digit(t[at - 1]);
    if (vx_word_at(t, n, at + space, "x") && digits) { /* "2 x 4" */
        size_t end = at + space + 1 + space;
        if (vx_digits_at(t, n, end) == 0) return NULL;
        *bytes = end - at;
        return "by";
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (!vx_word_at(t, n, at + space, words[i][0])) continue;
        size_t end = at + space + strlen(words[i][0]);
        bool after = vx_word_at(t, n, end, " ");
        if (after != (space > 0)) return NULL;
        *bytes = end + after - at;
        return words[i][1];
    }
    return NULL;
}

/* "^6", with a sign: its bytes. */
static size_t put_power(vx_expansion *x, const char *t, size_t n, size_t at)
{
    size_t minus = vx_word_at(t, n, at + 1, "-") ? 1 : 0;
    if (!vx_word_at(t, n, at, "^")) return 0;
    size_t bytes = operand_at(t, n, at + 1 + minus);
    if (bytes == 0) return 0;
    const char *power = t + at + 1 + minus;
    if (minus == 0 && (vx_text_is(power, bytes, "2") || vx_text_is(power, bytes, "3"))) {
        vx_put_words(x, power[0] == '2' ? "squared" : "cubed");
    } else {
        vx_put_words(x, "to the power of");
        if (minus > 0) vx_put_words(x, "minus");
        put_operand(x, power, bytes);
    }
    return 1 + minus + bytes;
}

/* "10^6", "3*4", "x^2 + y^2 = z^2", "5-3=2": what holds a power, a product or a result. */
size_t vx_read_power(vx_expansion *x, size_t i, const char *t, size_t n)
{
    (void)i;
    bool sum = false; /* shown to be one */
    size_t at = 0, bytes, last = 0;
    for (;;) {
        size_t m = operand_at(t, n, at);
        if (m == 0) break;
        /* "10*" at the end of what is emphasised is no product. */
        put_operand(x, t + at, m);
        size_t power = put_power(x, t, n, at + m);
        sum |= power > 0;
        at = last = at + m + power;
        const char *word = operator_at(t, n, at, &bytes);
        if (word == NULL || operand_at(t, n, at + bytes) == 0) break;
        char sign = t[at + (t[at] == ' ')];
        sum |= sign == '*' || sign == '=' || sign == (char)0xC3 || sign == 'x';
        /* "2 x 4 = 8" is reckoned, "2 x 4" may be a size. */
        size_t ahead = n - at < RESULT_NEAR ? n - at : RESULT_NEAR;
        vx_put_words(x, sign == 'x' && memchr(t + at, '=', ahead) != NULL ? "times" : word);
        at += bytes;
    }
    return sum && last > 0 ? last : 0;
}

/* "120/80 mmHg", "2x/week" */
static size_t read_pressure(vx_expansion *x, const char *t, size_t n)
{
    size_t a = vx_digits_at(t, n, 0), b = vx_word_at(t, n, a, "/") ? vx_digits_at(t, n, a + 1) : 0;
    size_t end = a + 1 + b, bytes;
    if (a > 0 && vx_word_at(t, n, a, "x/")) {
        const char *per = vx_per_at(t, n, a + 2, &bytes);
        if (per == NULL) return 0;
        vx_put_cardinal(x, t, a);
        vx_put_words(x, a == 1 && t[0] == '1' ? "time" : "times");
        vx_put_words(x, strcmp(per, "hour") == 0 ? "an" : "a");
        vx_put_words(x, per);
        return a + 2 + bytes;
    }
    if (a < 2 || a > 3 || b < 2 || b > 3 || !vx_word_at(t, n, end, " mmHg")) return 0;
    vx_put_cardinal(x, t, a);
    vx_put_words(x, "over");
    vx_put_cardinal(x, t + a + 1, b);
    vx_put_words(x, "millimeters of mercury");
    return vx_boundary_at(t, n, end + 5) ? end + 5 : 0;
}

/* "w/o", "24/7", "50/50", "n/a", "CO2": pairs that are said in their own way. */
size_t vx_read_slashed(vx_expansion *x, size_t i, const char *t, size_t n)
{
    static const char *const words[][2] = {{"w/o", "without"},
                                           {"w/", "with"},
                                           {"c/o", "care of"},
                                           {"b/c", "because"},
                                           {"b/w", "between"},
                                           {"n/a", "N A"},
                                           {"N/A", "N A"},
                                           {"24/7", "twenty four seven"},
                                           {"9/11", "nine eleven"},
                                           {"7/11", "seven eleven"},
                                           {"50/50", "fifty fifty"},
                                           {"and/or", "and or"},
                                           {"a/c", "A C"},
                                           {"A/C", "A C"},
                                           {"s/he", "she or he"},
                                           {"he/she", "he or she"},
                                           {"AM/FM", "A.M F.M"},
                                           {"H2O", "H two oh"},
                                           {"CO2", "C.O two"},
                                           {"NO2", "N.O two"},
                                           {"SO2", "S.O two"},
                                           {"N2O", "N two oh"},
                                           {"H2SO4", "H two S.O four"},
                                           {"CH4", "C.H four"},
                                           {"NH3", "N.H three"}};
    (void)i;
    size_t pressure = read_pressure(x, t, n);
    if (pressure > 0) return pressure;
    for (size_t k = 0; k < sizeof words / sizeof words[0]; k++) {
        size_t end = strlen(words[k][0]);
        bool slash = words[k][0][end - 1] == '/';
        if (!vx_word_at(t, n, 0, words[k][0]) || (!slash && !vx_boundary_at(t, n, end))) continue;
        if (vx_word_at(t, n, end, "/") || (slash && !vx_boundary_at(t, n, end))) continue;
        vx_put_words(x, words[k][1]);
        return end;
    }
    return 0;
}
