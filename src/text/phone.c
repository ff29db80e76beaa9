/* Numbers that are said digit by digit: telephones, cards, postal codes, addresses of machines. */
#include <string.h>

#include "text/numbers.h"
#include "text/readers.h"
#include "text/scan.h"

enum { GROUPS_MAX = 8 };

typedef struct groups {
    size_t at[GROUPS_MAX], digits[GROUPS_MAX], count, total, end;
    bool plus, bracket, spaces, signs; /* what stands between the groups: " ", and - . or / */
    bool points_only;
} groups;

/* Groups of digits with one space, hyphen or point between them; the first ones may stand in
 * brackets: "+44 (0)20 7946 0958", "(555) 123-4567". */
static bool scan_groups(const char *t, size_t n, groups *g)
{
    size_t at = 0;
    *g = (groups){.points_only = true};
    if (vx_word_at(t, n, 0, "+")) g->plus = true, at++;
    bool open = false;
    while (g->count < GROUPS_MAX) {
        if (vx_word_at(t, n, at, "(") && !open) open = g->bracket = true, at++;
        size_t m = vx_digits_at(t, n, at);
        if (m == 0) return false;
        g->at[g->count] = at;
        g->digits[g->count++] = m;
        g->total += m;
        at += m;
        if (vx_word_at(t, n, at, ")") && open) {
            open = false;
            at++;
        }
        g->end = at;
        size_t next = at;
        if (next < n && strchr(" -.", t[next]) != NULL) next++;
        if (!open && vx_word_at(t, n, next, "(") && vx_digits_at(t, n, next + 1) > 0) {
            at = next;
            continue;
        }
        if (vx_digits_at(t, n, next) == 0) break;
        if (next > at) {
            g->spaces |= t[at] == ' ';
            g->signs |= t[at] != ' ';
            g->points_only &= t[at] == '.';
        }
        at = next;
    }
    return !open && vx_boundary_at(t, n, g->end);
}

static void put_groups(vx_expansion *x, const char *t, const groups *g)
{
    if (g->plus) vx_put_words(x, "plus");
    for (size_t i = 0; i < g->count; i++) {
        vx_put_words(x, "");
        vx_number_digits(t + g->at[i], g->digits[i], &x->readings);
        if (i + 1 < g->count) vx_strbuf_put(&x->readings, ",");
    }
}

static bool is_card(const groups *g)
{
    bool fours = g->count == 4 && g->total == 16 && g->digits[0] == 4 && g->digits[1] == 4 &&
                 g->digits[2] == 4;
    return fours || (g->count == 3 && g->digits[0] == 4 && g->digits[1] == 6 && g->digits[2] == 5);
}

/* The North American plan: 3-3-4 digits, a 1 or a country's + before them. */
static bool is_american(const groups *g)
{
    size_t first = g->count == 4 && g->digits[0] == 1 ? 1 : 0;
    return g->count == first + 3 && g->digits[first] == 3 && g->digits[first + 1] == 3 &&
           g->digits[first + 2] == 4;
}

static bool is_phone(const char *t, const groups *g)
{
    size_t last = g->count > 0 ? g->digits[g->count - 1] : 0;
    if (g->total < 7 || g->total > 16) return false;
    if (g->plus) return g->count > 1 || g->total >= 10;
    if (is_card(g) || is_american(g)) return true;
    if (g->count == 1) {
        /* A bare number of ten digits and more that is not round is nobody's count. */
        bool round = vx_only(t + g->at[0] + g->total - 3, 3, "0");
        return g->total >= 10 && !round;
    }
    if (g->points_only && g->count < 3) return false;
    if (g->bracket) return g->digits[0] >= 2 && last >= 3;
    if (t[g->at[0]] == '0' && g->digits[0] > 1) {
        for (size_t i = 1; i < g->count; i++)
            if (g->digits[i] < 2) return false;
        return g->spaces || last > 2;
    }
    if (g->spaces) return false;
    for (size_t i = 0; i < g->count; i++)
        if (g->digits[i] > 4) return false;
    return last == 4 && (g->count > 2 || g->total == 7);
}

size_t vx_read_phone(vx_expansion *x, size_t i, const char *t, size_t n)
{
    static const char books[] = " ISBN ISSN EIN VIN IMEI SSN ";
    groups g;
    size_t length;
    if (n == 0 || (t[0] != '+' && t[0] != '(' && !vx_is_digit(t[0]))) return 0;
    const char *before = vx_expand_word(x, vx_expand_previous(x, i), &length);
    bool book = vx_in_list(books, before, length);
    if (!scan_groups(t, n, &g) || (!book && !is_phone(t, &g))) return 0;
    put_groups(x, t, &g);
    return g.end;
}

static void put_dotted(vx_expansion *x, const char *t, size_t length)
{
    for (size_t at = 0; at < length;) {
        size_t m = vx_digits_at(t, length, at);
        if (at > 0) vx_put_words(x, "point");
        vx_put_cardinal(x, t + at, m);
        at += m + 1;
    }
}

/* 192.168.1.1, with a port behind it. */
size_t vx_read_address(vx_expansion *x, size_t i, const char *t, size_t n)
{
    (void)i;
    size_t at = 0;
    for (int part = 0; part < 4; part++) {
        size_t m = vx_digits_at(t, n, at);
        if (m < 1 || m > 3 || (part < 3 && !vx_word_at(t, n, at + m, "."))) return 0;
        at += m + (part < 3);
    }
    if (!vx_word_at(t, n, at, ":") || !vx_boundary_at(t, n, at)) return 0;
    size_t port = vx_digits_at(t, n, at + 1);
    if (port < 1 || port > 5 || !vx_boundary_at(t, n, at + 1 + port)) return 0;
    put_dotted(x, t, at);
    vx_put_words(x, "port");
    vx_put_cardinal(x, t + at + 1, port);
    return at + 1 + port;
}

/* Postal codes of the United States' (USPS Publication 28, appendix B). */
static const char states[] =
    " AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ "
    "NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY PR ";
static const char callers[] = " call calls called calling dial dials dialed dialled dialing "
                              "dialling phone ring rang text ";
static const char secrets[] = " PIN pin passcode password code CVV CVC OTP zip ZIP postcode ";

static bool digit_before(const vx_expansion *x, size_t i)
{
    size_t length;
    const char *word = vx_expand_word(x, vx_expand_previous(x, i), &length);
    return length == 3 && vx_only(word, length, "0123456789");
}

/* Numbers that the word before them makes digits: "Call 911", "NY 10001", "PIN 4821". */
size_t vx_read_code(vx_expansion *x, size_t i, const char *t, size_t n)
{
    size_t digits = vx_digits_at(t, n, 0), length, end = digits;
    if (digits < 3 || digits > 6) return 0;
    if (digits == 5 && vx_word_at(t, n, 5, "-") && vx_digits_at(t, n, 6) == 4) end = 10;
    if (!vx_boundary_at(t, n, end) ||
        (end < n && strchr("-:/%,.", t[end]) != NULL && end + 1 < n && vx_is_digit(t[end + 1])))
        return 0;
    const char *before = vx_expand_word(x, vx_expand_previous(x, i), &length);
    if (length == 0 && i > 1 && strcmp(x->tokens->token[i - 1].mark, ":") == 0) /* "PIN: 1234" */
        before = vx_expand_word(x, i - 2, &length);
    bool emergency = vx_text_is(t, digits, "911") || vx_text_is(t, digits, "999") ||
                     vx_text_is(t, digits, "112");
    /* A postal code of nine digits shows itself. */
    bool said = digits == 5 && (end == 10 || vx_in_list(states, before, length));
    said |= vx_in_list(secrets, before, length) && digits > 3;
    if (digits == 3 && length > 0) {
        char small[16] = "";
        for (size_t k = 0; k < length && length < sizeof small; k++)
            small[k] = (char)(before[k] >= 'A' && before[k] <= 'Z' ? before[k] | 32 : before[k]);
        said |= vx_in_list(callers, small, strlen(small));
    }
    /* 911 by itself; a Porsche 911 and 911 people are numbers. */
    size_t next = vx_word_at(t, n, end, " ") ? vx_letters_at(t, n, end + 1) : 0;
    bool alone = next == 0 || vx_in_list(" call calls operator dispatcher dispatch emergency "
                                         "center service and or is was ",
                                         t + end + 1, next);
    /* "Dial 999 or 112." */
    said |= emergency && vx_in_list(" or and ", before, length) &&
            digit_before(x, vx_expand_previous(x, i));
    said |= emergency && t[0] == '9' && t[1] == '1' && alone &&
            !vx_in_list(" Porsche a the than of about ", before, length);
    if (!said) return 0;
    vx_put_words(x, "");
    vx_number_digits(t, digits, &x->readings);
    if (end > digits) {
        vx_strbuf_put(&x->readings, ",");
        vx_number_digits(t + digits + 1, 4, &x->readings);
    }
    return end;
}
