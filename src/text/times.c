/* Days, dates and times of day, and ranges of them. */
#include <string.h>

#include "text/numbers.h"
#include "text/readers.h"
#include "text/scan.h"

static const char *const months[] = {"january",   "february", "march",    "april",
                                     "may",       "june",     "july",     "august",
                                     "september", "october",  "november", "december"};
static const char *const days[] = {"monday", "tuesday",  "wednesday", "thursday",
                                   "friday", "saturday", "sunday"};

/* A name with its first letter large and the rest small. */
static bool is_name(const char *word, size_t length, const char *name)
{
    return length > 0 && word[0] == (name[0] & ~32) && memcmp(word + 1, name + 1, length - 1) == 0;
}

int vx_month(const char *word, size_t length)
{
    for (int m = 0; m < 12 && length >= 3; m++) {
        size_t whole = strlen(months[m]);
        if (length > whole) continue;
        bool form = length == whole || length == 3 || (m == 8 && length == 4);
        if (form && is_name(word, length, months[m])) return m + 1;
    }
    return 0;
}

const char *vx_month_name(int month)
{
    return months[month - 1];
}

const char *vx_day_name(const char *word, size_t length)
{
    for (int d = 0; d < 7 && length >= 3; d++) {
        size_t whole = strlen(days[d]);
        if (length > whole) continue;
        /* Tues, Weds (whose s is no part of the name's beginning), Thur, Thurs */
        bool form =
            length == whole || length == 3 || (d == 1 && length == 4) || (d == 3 && length <= 5);
        if (form && is_name(word, length, days[d])) return days[d];
    }
    return vx_text_is(word, length, "Weds") ? days[2] : NULL;
}

/* "Mon-Fri", "Jan–Mar", "Monday-Friday": two days or two months with "to" between. */
size_t vx_read_days(vx_expansion *x, size_t i, const char *t, size_t n)
{
    (void)i;
    size_t a = vx_letters_at(t, n, 0);
    size_t point = vx_word_at(t, n, a, ".") ? 1 : 0;
    size_t dash = a > 0 ? vx_dash_at(t, n, a + point, true) : 0, second = a + point + dash;
    size_t b = dash > 0 ? vx_letters_at(t, n, second) : 0;
    if (b == 0 || !vx_boundary_at(t, n, second + b)) return 0;
    const char *from = vx_day_name(t, a), *to = vx_day_name(t + second, b);
    int first = vx_month(t, a), last = vx_month(t + second, b);
    if (first > 0 && last > 0) {
        from = vx_month_name(first);
        to = vx_month_name(last);
    }
    if (from == NULL || to == NULL) return 0;
    vx_put_words(x, from);
    vx_put_words(x, "to");
    vx_put_words(x, to);
    /* "Mon.–Fri. 9–5": the point before a number ends no sentence. */
    size_t end = second + b;
    if (vx_word_at(t, n, end, ". ") && vx_digits_at(t, n, end + 2) > 0) end++;
    return end;
}

static void put_year(vx_expansion *x, const char *digits, size_t count)
{
    vx_put_words(x, "");
    if (count == 4 && digits[0] != '0')
        vx_number_year(digits, count, x->british, &x->readings);
    else if (count == 2 && digits[0] == '0')
        vx_put_words(x, "oh"), vx_number_digits(digits + 1, 1, &x->readings);
    else
        vx_put_cardinal(x, digits, count);
}

/* "November twenty third, …" or "the twenty third of November …", as the accent has it. */
static bool put_date(vx_expansion *x, int month, const char *day, size_t day_count,
                     const char *year, size_t year_count)
{
    int number = vx_digits_value(day, day_count);
    if (month < 1 || month > 12 || number < 1 || number > 31) return false;
    if (x->british) {
        vx_put_words(x, "the");
        vx_number_ordinal(day, day_count, true, &x->readings);
        vx_put_words(x, "of");
        vx_put_words(x, months[month - 1]);
    } else {
        vx_put_words(x, months[month - 1]);
        vx_number_ordinal(day, day_count, false, &x->readings);
    }
    if (year_count > 0) put_year(x, year, year_count);
    return true;
}

/* 2024-11-23, 11/23/2024, 23/11/2024, 23.11.2024. */
size_t vx_read_date(vx_expansion *x, size_t i, const char *w, size_t n)
{
    (void)i;
    size_t a = vx_digits_at(w, n, 0);
    if (a == 0 || a + 1 >= n || strchr("/.-", w[a]) == NULL) return 0;
    char sign = w[a];
    size_t b = vx_digits_at(w, n, a + 1), second = a + 1, third = a + b + 2;
    if (b < 1 || b > 2 || third >= n || w[third - 1] != sign) return 0;
    size_t c = vx_digits_at(w, n, third), end = third + c;
    if (!vx_boundary_at(w, n, end) || (end + 1 < n && w[end] == sign && vx_is_digit(w[end + 1])))
        return 0;
    if (a == 4 && c >= 1 && c <= 2)
        return put_date(x, vx_digits_value(w + second, b), w + third, c, w, 4) ? end : 0;
    if (a > 2 || (c != 4 && !(sign == '/' && c == 2))) return 0;
    if (c == 4 && (w[third] < '1' || w[third] > '2')) return 0;
    int first_value = vx_digits_value(w, a), second_value = vx_digits_value(w + second, b);
    bool month_first = sign == '.' ? false : !x->british;
    if (first_value > 12) month_first = false;
    if (second_value > 12) month_first = true;
    bool done = month_first ? put_date(x, first_value, w + second, b, w + third, c)
                            : put_date(x, second_value, w, a, w + third, c);
    return done ? end : 0;
}

typedef struct clock_time {
    const char *text;
    size_t hour_digits;
    int hour;
    const char *minutes, *seconds; /* two digits each, NULL for none */
    const char *half;              /* "a.m" or "p.m", NULL for none */
    bool point;                    /* 9.30 */
    size_t end;
} clock_time;

/* am, pm, a.m, p.m, any case, at text[at]; a space may stand before. */
static size_t half_at(const char *t, size_t n, size_t at, const char **half)
{
    static const char *const forms[][2] = {
        {"a.m", "a.m"}, {"p.m", "p.m"}, {"am", "a.m"}, {"pm", "p.m"}};
    size_t space = vx_word_at(t, n, at, " ") ? 1 : 0;
    for (size_t f = 0; f < 4; f++) {
        size_t length = strlen(forms[f][0]);
        if (!vx_word_at_any_case(t, n, at + space, forms[f][0]) ||
            !vx_boundary_at(t, n, at + space + length))
            continue;
        *half = forms[f][1];
        return space + length;
    }
    return 0;
}

static bool scan_time(const char *t, size_t n, size_t at, clock_time *c)
{
    *c = (clock_time){.text = t + at, .hour_digits = vx_digits_at(t, n, at)};
    c->hour = vx_digits_value(t + at, c->hour_digits);
    if (c->hour_digits < 1 || c->hour_digits > 2 || c->hour > 24) return false;
    at += c->hour_digits;
    bool colon = vx_word_at(t, n, at, ":"), point = vx_word_at(t, n, at, ".");
    if ((colon || point) && vx_digits_at(t, n, at + 1) == 2 &&
        vx_digits_value(t + at + 1, 2) <= 59) {
        c->minutes = t + at + 1;
        c->point = point;
        at += 3;
        if (colon && vx_word_at(t, n, at, ":") && vx_digits_at(t, n, at + 1) == 2) {
            c->seconds = t + at + 1;
            at += 3;
        }
    }
    c->end = at + half_at(t, n, at, &c->half);
    if (c->half != NULL && (c->hour < 1 || c->hour > 12)) return false;
    return vx_boundary_at(t, n, c->end);
}

/* `bare`: am, pm or "hours" is said elsewhere. */
static void put_time(vx_expansion *x, const clock_time *c, bool bare)
{
    vx_put_cardinal(x, c->text, c->hour_digits);
    if (c->minutes != NULL && memcmp(c->minutes, "00", 2) != 0) {
        if (c->minutes[0] == '0') vx_put_words(x, "oh");
        vx_put_cardinal(x, c->minutes, 2);
    } else if (c->minutes != NULL && c->seconds == NULL && c->half == NULL && !bare) {
        vx_put_words(x, c->hour >= 1 && c->hour <= 12 ? "o'clock" : "hundred");
    }
    if (c->seconds != NULL) {
        vx_put_words(x, "and");
        vx_put_cardinal(x, c->seconds, 2);
        vx_put_words(x, "seconds");
    }
    if (c->half != NULL) vx_put_words(x, c->half);
}

/* "0800 hours", "1430 hrs" */
static size_t read_military(vx_expansion *x, const char *t, size_t n)
{
    static const char *const hours[] = {" hours", " hrs", " hr", "h"};
    if (vx_digits_at(t, n, 0) != 4 || vx_digits_value(t, 2) > 24 || vx_digits_value(t + 2, 2) > 59)
        return 0;
    for (size_t i = 0; i < 4; i++) {
        size_t end = 4 + strlen(hours[i]);
        if (!vx_word_at(t, n, 4, hours[i]) || !vx_boundary_at(t, n, end)) continue;
        /* "2000 hours" of work are counted. */
        if (t[0] != '0' && (memcmp(t + 2, "00", 2) == 0 || i == 0) && t[0] != '1') return 0;
        if (t[0] == '1' && memcmp(t + 2, "00", 2) == 0) return 0;
        if (t[0] == '0') vx_put_words(x, "oh");
        vx_put_cardinal(x, t[0] == '0' ? t + 1 : t, t[0] == '0' ? 1 : 2);
        if (memcmp(t + 2, "00", 2) == 0)
            vx_put_words(x, "hundred");
        else if (t[2] == '0')
            vx_put_words(x, "oh"), vx_put_cardinal(x, t + 3, 1);
        else
            vx_put_cardinal(x, t + 2, 2);
        vx_put_words(x, "hours");
        return end;
    }
    return 0;
}

/* The end of a range that is a word: "9 a.m.-noon". */
static size_t noon_at(const char *t, size_t n, size_t at, const char **word)
{
    static const char *const words[] = {"noon", "midnight"};
    for (size_t i = 0; i < 2; i++) {
        size_t end = at + strlen(words[i]);
        if (!vx_word_at_any_case(t, n, at, words[i]) || !vx_boundary_at(t, n, end)) continue;
        *word = words[i];
        return end;
    }
    return 0;
}

/* 3:45, 15:00, 3:45:20, 3pm, 9.30 am; 10:30-11:45, 9am-5pm, 9-5pm, 6 a.m.–10 p.m. */
size_t vx_read_time(vx_expansion *x, size_t i, const char *t, size_t n)
{
    (void)i;
    clock_time a, b;
    size_t military = read_military(x, t, n);
    if (military > 0) return military;
    const char *from;
    size_t noon_dash, noon_end = noon_at(t, n, 0, &from);
    if (noon_end > 0) { /* "noon-1pm" */
        noon_dash = vx_dash_at(t, n, noon_end, false);
        if (noon_dash == 0 || !scan_time(t, n, noon_end + noon_dash, &b)) return 0;
        vx_put_words(x, from);
        vx_put_words(x, "to");
        put_time(x, &b, false);
        return b.end;
    }
    if (!scan_time(t, n, 0, &a)) return 0;
    bool time = a.half != NULL || (a.minutes != NULL && !a.point);
    size_t point = a.half != NULL && vx_word_at(t, n, a.end, ".") ? 1 : 0;
    size_t dash = vx_dash_at(t, n, a.end + point, true), second = a.end + point + dash;
    const char *word;
    size_t noon = time && dash > 0 ? noon_at(t, n, second, &word) : 0;
    if (noon > 0) {
        put_time(x, &a, false);
        vx_put_words(x, "to");
        vx_put_words(x, word);
        return noon;
    }
    bool two = dash > 0 && scan_time(t, n, second, &b);
    if (two && (b.half != NULL || (time && b.minutes != NULL && !b.point))) {
        put_time(x, &a, b.half != NULL);
        vx_put_words(x, "to");
        put_time(x, &b, false);
        return b.end;
    }
    if (!time || (a.minutes != NULL && vx_word_at(t, n, a.end, ":"))) return 0;
    put_time(x, &a, false);
    return a.end;
}

/* Whether what follows a number shows that it counts: "March 5 km". */
static bool counts(const char *t, size_t n, size_t at)
{
    static const char nouns[] = " km kg cm mm lb lbs ft percent people million billion thousand "
                                "times days weeks months years hours minutes ";
    if (!vx_word_at(t, n, at, " ")) return false;
    return vx_in_list(nouns, t + at + 1, vx_letters_at(t, n, at + 1));
}

/* The day beside a month: "November 23", "May 5-7", "23 November". */
size_t vx_read_day(vx_expansion *x, size_t i, const char *t, size_t n)
{
    size_t count = vx_digits_at(t, n, 0), end = count, length;
    int day = vx_digits_value(t, count);
    if (count < 1 || count > 2 || day < 1 || day > 31) return 0;
    const char *before = vx_expand_word(x, vx_expand_previous(x, i), &length);
    size_t dash = vx_dash_at(t, n, end, false), last = vx_digits_at(t, n, end + dash);
    bool two = dash > 0 && last >= 1 && last <= 2 && vx_digits_value(t + end + dash, last) <= 31;
    size_t second = end + dash;
    if (two) end = second + last;
    if (!vx_boundary_at(t, n, end) || vx_word_at(t, n, end, "%") || vx_word_at(t, n, end, "/") ||
        vx_dash_at(t, n, end, false) > 0)
        return 0;
    bool month_before =
        vx_month(before, length) > 0 && !counts(t, n, end) && !vx_word_at(t, n, end, "°");
    size_t after = vx_word_at(t, n, end, " ") ? vx_letters_at(t, n, end + 1) : 0;
    bool month_after = after > 0 && vx_month(t + end + 1, after) > 0;
    if (!month_before && !month_after) return 0;
    bool article = vx_text_is_any_case(before, length, "the");
    if (month_before ? x->british : !article) vx_put_words(x, "the");
    vx_put_words(x, "");
    vx_number_ordinal(t, count, x->british, &x->readings);
    if (two) {
        vx_put_words(x, "to");
        if (x->british || !month_before) vx_put_words(x, "the");
        vx_put_words(x, "");
        vx_number_ordinal(t + second, last, x->british, &x->readings);
    }
    if (!month_before) vx_put_words(x, "of");
    return end;
}
