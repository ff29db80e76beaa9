#include "text/numbers.h"

#include <assert.h>
#include <string.h>

#include "text/scan.h"

enum { CARDINAL_DIGITS_MAX = 21 }; /* up to quintillions */

static const char *const small_numbers[] = {
    "zero",     "one",     "two",     "three",     "four",     "five",    "six",
    "seven",    "eight",   "nine",    "ten",       "eleven",   "twelve",  "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
static const char *const tens[] = {"",      "",      "twenty",  "thirty", "forty",
                                   "fifty", "sixty", "seventy", "eighty", "ninety"};
static const char *const scales[] = {"",         "thousand",    "million",    "billion",
                                     "trillion", "quadrillion", "quintillion"};

static const vx_currency currencies[] = {
    {"$", "dollar", "dollars", "cent", "cents"}, {"£", "pound", "pounds", "penny", "pence"},
    {"€", "euro", "euros", "cent", "cents"},     {"¥", "yen", "yen", NULL, NULL},
    {"₹", "rupee", "rupees", NULL, NULL},        {"₩", "won", "won", NULL, NULL},
    {"₽", "ruble", "rubles", NULL, NULL},      {"₺", "lira", "lira", NULL, NULL},
    {"₿", "bitcoin", "bitcoin", NULL, NULL},   {"₪", "shekel", "shekels", NULL, NULL},
    {"₫", "dong", "dong", NULL, NULL},           {"₦", "naira", "naira", NULL, NULL},
    {"₱", "peso", "pesos", NULL, NULL},          {"₴", "hryvnia", "hryvnias", NULL, NULL},
    {"₵", "cedi", "cedis", NULL, NULL},          {"₡", "colon", "colons", NULL, NULL},
    {"₸", "tenge", "tenge", NULL, NULL},         {"₾", "lari", "lari", NULL, NULL},
    {"฿", "baht", "baht", NULL, NULL},
};

/* Codes of ISO 4217, which stand in front of or behind the amount. */
static const vx_currency codes[] = {
    {"USD", "U S dollar", "U S dollars", NULL, NULL},
    {"EUR", "euro", "euros", "cent", "cents"},
    {"GBP", "pound", "pounds", "penny", "pence"},
    {"JPY", "yen", "yen", NULL, NULL},
    {"CHF", "swiss franc", "swiss francs", NULL, NULL},
    {"CAD", "canadian dollar", "canadian dollars", NULL, NULL},
    {"AUD", "australian dollar", "australian dollars", NULL, NULL},
    {"CNY", "yuan", "yuan", NULL, NULL},
    {"INR", "rupee", "rupees", NULL, NULL},
    {"RUB", "ruble", "rubles", NULL, NULL},
    {"SEK", "swedish krona", "swedish kronor", NULL, NULL},
    {"NOK", "norwegian krone", "norwegian kroner", NULL, NULL},
    {"DKK", "danish krone", "danish kroner", NULL, NULL},
    {"PLN", "zloty", "zlotys", NULL, NULL},
    {"BTC", "bitcoin", "bitcoin", NULL, NULL},
};

static const vx_currency *currency_in(const vx_currency *table, size_t count, const char *text,
                                      size_t length)
{
    for (size_t i = 0; i < count; i++)
        if (vx_word_at(text, length, 0, table[i].sign)) return &table[i];
    return NULL;
}

const vx_currency *vx_currency_at(const char *text, size_t length)
{
    return currency_in(currencies, sizeof currencies / sizeof currencies[0], text, length);
}

const vx_currency *vx_currency_code_at(const char *text, size_t length)
{
    if (length < 3 || !vx_boundary_at(text, length, 3)) return NULL;
    return currency_in(codes, sizeof codes / sizeof codes[0], text, length);
}

static void put_word(vx_strbuf *out, const char *word)
{
    if (out->length > 0 && out->data[out->length - 1] != ' ') vx_strbuf_put(out, " ");
    vx_strbuf_put(out, word);
}

static void put_below_hundred(vx_strbuf *out, int value)
{
    if (value >= 20) put_word(out, tens[value / 10]);
    if (value < 20)
        put_word(out, small_numbers[value]);
    else if (value % 10 != 0)
        put_word(out, small_numbers[value % 10]);
}

static void put_below_thousand(vx_strbuf *out, int value, bool british)
{
    if (value >= 100) {
        put_word(out, small_numbers[value / 100]);
        put_word(out, "hundred");
        if (value % 100 == 0) return;
        if (british) put_word(out, "and");
    }
    put_below_hundred(out, value % 100);
}

void vx_number_digits(const char *digits, size_t count, vx_strbuf *out)
{
    for (size_t i = 0; i < count; i++)
        if (digits[i] >= '0' && digits[i] <= '9') put_word(out, small_numbers[digits[i] - '0']);
}

static bool all_zero(const char *digits, size_t count)
{
    return vx_only(digits, count, "0");
}

void vx_number_cardinal(const char *digits, size_t count, bool british, vx_strbuf *out)
{
    while (count > 1 && digits[0] == '0')
        digits++, count--;
    if (count > CARDINAL_DIGITS_MAX) {
        vx_number_digits(digits, count, out);
        return;
    }
    if (count == 1 && digits[0] == '0') {
        put_word(out, "zero");
        return;
    }
    size_t groups = (count + 2) / 3;
    for (size_t group = groups; group > 0; group--) {
        size_t end = count - 3 * (group - 1), start = end > 3 ? end - 3 : 0;
        int value = 0;
        for (size_t i = start; i < end; i++)
            value = value * 10 + (digits[i] - '0');
        if (value == 0) continue;
        if (british && group == 1 && groups > 1 && value < 100) put_word(out, "and");
        put_below_thousand(out, value, british);
        if (group > 1) put_word(out, scales[group - 1]);
    }
}

void vx_number_ordinal(const char *digits, size_t count, bool british, vx_strbuf *out)
{
    static const char *const irregular[][2] = {
        {"one", "first"},    {"two", "second"}, {"three", "third"},   {"five", "fifth"},
        {"eight", "eighth"}, {"nine", "ninth"}, {"twelve", "twelfth"}};
    vx_number_cardinal(digits, count, british, out);
    size_t last = out->length;
    while (last > 0 && out->data[last - 1] != ' ')
        last--;
    for (size_t i = 0; i < sizeof irregular / sizeof irregular[0]; i++) {
        if (strcmp(out->data + last, irregular[i][0]) != 0) continue;
        vx_strbuf_cut(out, last);
        vx_strbuf_put(out, irregular[i][1]);
        return;
    }
    if (out->length > last && out->data[out->length - 1] == 'y') {
        vx_strbuf_cut(out, out->length - 1);
        vx_strbuf_put(out, "ieth");
    } else {
        vx_strbuf_put(out, "th");
    }
}

void vx_number_year(const char *digits, size_t count, bool british, vx_strbuf *out)
{
    assert(count == 3 || count == 4);
    int value = 0;
    for (size_t i = 0; i < count; i++)
        value = value * 10 + (digits[i] - '0');
    int high = value / 100, low = value % 100;
    if (high == 0 || (high % 10 == 0 && low < 10)) {
        vx_number_cardinal(digits, count, british, out);
        return;
    }
    put_below_hundred(out, high);
    if (low == 0) {
        put_word(out, "hundred");
        return;
    }
    if (low < 10) put_word(out, "oh");
    put_below_hundred(out, low);
}

/* The number without its commas; false when too long to hold. */
static bool without_commas(const char *text, size_t length, char *out, size_t room, size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == ',') continue;
        if (*count == room) return false;
        out[(*count)++] = text[i];
    }
    return true;
}

static bool only_digits(const char *text, size_t length)
{
    return length > 0 && vx_only(text, length, "0123456789");
}

static void put_whole(const char *digits, size_t count, bool british, vx_strbuf *out)
{
    if (count > 1 && digits[0] == '0')
        vx_number_digits(digits, count, out);
    else
        vx_number_cardinal(digits, count, british, out);
}

/* "12.50" -> "twelve point five zero"; several points are read in turn, as in a version. */
static void put_decimal(const char *text, size_t length, bool british, vx_strbuf *out)
{
    bool first = true;
    int points = 0;
    for (size_t i = 0; i < length; i++)
        points += text[i] == '.';
    for (size_t at = 0; at <= length;) {
        const char *point = memchr(text + at, '.', length - at);
        size_t n = point != NULL ? (size_t)(point - text) - at : length - at;
        if (!first) put_word(out, "point");
        if (n > 0 && (first || points > 1))
            put_whole(text + at, n, british, out);
        else
            vx_number_digits(text + at, n, out);
        first = false;
        at += n + 1;
    }
}

/* A number inside a word: by digits when it is long, else as people say bus lines and models. */
static void put_fragment(const char *digits, size_t count, vx_strbuf *out)
{
    if (digits[0] == '0' || count > 3) {
        vx_number_digits(digits, count, out);
    } else if (count == 3 && !all_zero(digits + 1, 2)) {
        vx_number_digits(digits, 1, out);
        if (digits[1] == '0') {
            put_word(out, "O");
            vx_number_digits(digits + 2, 1, out);
        } else {
            vx_number_cardinal(digits + 1, 2, false, out);
        }
    } else {
        vx_number_cardinal(digits, count, false, out);
    }
}

static size_t ending_length(const char *text, size_t length, vx_ending *ending, bool *ordinal)
{
    static const struct {
        const char *text;
        vx_ending ending;
        bool ordinal;
    } endings[] = {
        {"ing", VX_ENDING_ING, false}, {"'d", VX_ENDING_ED, false},  {"ed", VX_ENDING_ED, false},
        {"'s", VX_ENDING_S, false},    {"st", VX_ENDING_NONE, true}, {"nd", VX_ENDING_NONE, true},
        {"rd", VX_ENDING_NONE, true},  {"th", VX_ENDING_NONE, true}, {"s", VX_ENDING_S, false}};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        size_t n = strlen(endings[i].text);
        if (length <= n || memcmp(text + length - n, endings[i].text, n) != 0) continue;
        *ending = endings[i].ending;
        *ordinal = endings[i].ordinal;
        return n;
    }
    return 0;
}

bool vx_number_token(const char *text, size_t length, bool head, bool british, vx_strbuf *out,
                     vx_ending *ending)
{
    bool ordinal = false;
    *ending = VX_ENDING_NONE;
    length -= ending_length(text, length, ending, &ordinal);
    bool minus = head && length > 0 && text[0] == '-';
    if (minus) text++, length--;
    char number[64] = "";
    size_t count;
    if (!vx_has_digit(text, length) || !vx_only(text, length, "0123456789,.")) return false;
    if (minus) put_word(out, "minus");
    if (!without_commas(text, length, number, sizeof number, &count)) {
        vx_number_digits(text, length, out);
        return true;
    }
    bool digits = only_digits(number, count);
    bool comma = memchr(text, ',', length) != NULL;
    if (digits && ordinal)
        vx_number_ordinal(number, count, british, out);
    else if (digits && !minus && !comma && count == 4 && number[0] != '0')
        vx_number_year(number, count, british, out);
    else if (digits && !head)
        put_fragment(number, count, out);
    else if (digits)
        put_whole(number, count, british, out);
    else
        put_decimal(number, count, british, out);
    return true;
}

bool vx_number_money(const char *text, size_t length, const vx_currency *unit, bool british,
                     vx_strbuf *out)
{
    char number[64] = "";
    size_t count;
    if (length == 0 || !without_commas(text, length, number, sizeof number, &count)) return false;
    const char *point = memchr(number, '.', count);
    size_t whole = point != NULL ? (size_t)(point - number) : count;
    size_t cents = point != NULL ? count - whole - 1 : 0;
    if (whole + cents == 0 || (whole > 0 && !only_digits(number, whole))) return false;
    if (point != NULL && !only_digits(point + 1, cents)) return false;
    bool no_whole = all_zero(number, whole), no_cents = cents == 0 || all_zero(point + 1, cents);
    if (unit == NULL || (cents > 0 && (cents != 2 || unit->hundredth == NULL))) {
        put_decimal(number, count, british, out);
        if (unit != NULL) put_word(out, unit->many);
        return true;
    }
    if (!no_whole || no_cents) {
        vx_number_cardinal(whole > 0 ? number : "0", whole > 0 ? whole : 1, british, out);
        put_word(out, whole == 1 && number[0] == '1' ? unit->one : unit->many);
        if (no_cents) return true;
        put_word(out, "and");
    }
    vx_number_cardinal(point + 1, 2, british, out);
    put_word(out, memcmp(point + 1, "01", 2) == 0 ? unit->hundredth_one : unit->hundredth);
    return true;
}
