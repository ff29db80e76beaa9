#include "text/tags.h"

#include <string.h>

/* Word lists have a space on both sides of every word. */
static const char determiners[] =
    " a an the this these those my your his her its our their no each every some any another whose "
    "what which either neither many few several both ";
static const char modals[] =
    " to will would can could should shall may might must cannot can't couldn't won't wouldn't "
    "shouldn't mustn't needn't do does did don't doesn't didn't let let's help please gonna wanna ";
static const char subjects[] = " i you we they who ";
static const char singular_subjects[] = " he she it who which that ";
static const char objects[] = " them him us me ";
static const char have_forms[] = " have has had having haven't hasn't hadn't ";
static const char be_forms[] = " is are was were be been being am isn't aren't wasn't weren't it's "
                               "he's she's that's i'm we're you're they're ";
static const char adverbs[] = " never always also often really still just only even then ever "
                              "already not now soon almost once again simply ";
static const char prepositions[] =
    " of in on at by for with from into onto about after before without under over through during "
    "between against upon within via despite toward towards across behind beyond like than as ";
static const char degrees[] = " more most less least very so too quite rather as ";
static const char places[] = " in at on with near by here there alone under across above behind "
                             "beside between among next together outside inside up down happily ";
static const char object_starts[] = " the a an this these those my your his her its our their it "
                                    "them him us me you some any each every both more myself "
                                    "itself themselves himself herself yourself ourselves ";
/* Words that are verbs behind a plural even at a clause's end: "When bad men combine, …". */
static const char mostly_verbs[] = " combine increase decrease convert conflict separate associate "
                                   "refuse graduate deliberate produce rebel ";
/* Plurals that stand before a noun. */
static const char plural_modifiers[] = " sales sports news arms systems rights savings customs "
                                       "goods resources communications operations ";
static const char linkers[] =
    " of in on at to for with from by and or but is was are were has had have will would can could "
    "that which who as than when while where because if into over after before about until ";
/* After these, "to" is no infinitive's. */
static const char to_nouns[] = " access according due thanks close next contrary prior similar "
                               "related compared listen listening leads led addicted end ";
/* Adjectives before a noun that have another sound as nouns. */
static const char adjectives[] =
    " close closer invalid covert converse deliberate elaborate appropriate moderate diffuse "
    "frequent absent present perfect separate live intimate legitimate subordinate articulate "
    "animate degenerate desolate nearby compact ";
/* Words in -ed and -ing with an entry of their own where the adjective is the rule. */
static const char own_endings[] =
    " crooked dogged jagged ragged upsetting undertaking moped lunged "
    "learned unlearned ";
/* Verbs, not in -ed, whose object is a clause with "that". */
static const char sayings[] = " say says said think thinks thought know knows knew show shows mean "
                              "means meant believe believes see saw fact idea claim claims ";
static const char demonstrated[] = " one day night morning afternoon evening moment time way year "
                                   "week month summer winter point kind sort much ";
static const char after_that[] =
    " is was isn't wasn't would wouldn't will won't can can't could couldn't might may must should "
    "has had hasn't hadn't does doesn't did didn't makes made means meant sounds looks seems goes "
    "depends explains takes took said never really sure ";
static const char takes_that[] =
    " do did does say said know knew see saw hear heard like liked want wanted need needed take "
    "took use used believe excuse permit remember forget forgot make made why all and is was ";
/* What is numbered by letters. */
static const char lettered[] = " vitamin grade plan type class group section part level exhibit "
                               "hepatitis point option room block figure appendix table category "
                               "model team side unit step influenza series ";
/* Words that capitals only stress. */
static const char emphasized[] =
    " a all am an and any are as at be been but by can did do does don't for from get go had has "
    "have he her him his how i if in is it just led me more most my never no not now of off oh on "
    "one only or our out over really she so some than that the their them then there these they "
    "this those to too up very was we were what when where which who why will with would yes you "
    "your ";

typedef struct view {
    const char *text;
    const vx_tokens *tokens;
} view;

/* A word in small letters, "" past a boundary: a clause mark or an end of the text. */
typedef struct word {
    char text[24];
    size_t token; /* count when there is none */
} word;

static bool in(const char *list, const char *text)
{
    size_t length = strlen(text);
    if (length == 0) return false;
    for (const char *at = list; (at = strstr(at, text)) != NULL; at++)
        if (at > list && at[-1] == ' ' && at[length] == ' ') return true;
    return false;
}

static bool ends(const char *text, const char *ending)
{
    size_t n = strlen(text), m = strlen(ending);
    return n > m && strcmp(text + n - m, ending) == 0;
}

static word word_of(const view *v, size_t i)
{
    word w = {.token = i};
    const vx_token *token = &v->tokens->token[i];
    size_t n = 0;
    for (size_t at = 0; at < token->length && n + 2 < sizeof w.text; at++) {
        char c = v->text[token->start + at];
        if (token->length - at >= 3 && memcmp(v->text + token->start + at, "’", 3) == 0) {
            c = '\'';
            at += 2;
        }
        w.text[n++] = c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
    }
    return w;
}

static word beside(const view *v, size_t i, int step)
{
    size_t count = v->tokens->count;
    for (i += (size_t)step; i < count; i += (size_t)step) {
        const vx_token *token = &v->tokens->token[i];
        if (token->kind != VX_TOKEN_MARK) return word_of(v, i);
        /* Quotes and brackets part words only on the side that they open or close to. */
        static const char *const passed[2][2] = {{"”", ")"}, {"“", "("}};
        const char *const *pass = passed[step > 0];
        if (token->mark[0] != '\0' && strcmp(token->mark, pass[0]) != 0 &&
            strcmp(token->mark, pass[1]) != 0)
            break;
    }
    return (word){.token = count};
}

static word before(const view *v, const word *w)
{
    return w->token < v->tokens->count ? beside(v, w->token, -1) : *w;
}

static word after(const view *v, const word *w)
{
    return w->token < v->tokens->count ? beside(v, w->token, 1) : *w;
}

/* The word before, adverbs passed over where something stands before them. */
static word before_adverbs(const view *v, const word *w)
{
    word found = before(v, w);
    for (int i = 0; i < 2; i++) {
        if (!in(adverbs, found.text) && !ends(found.text, "ly")) break;
        word further = before(v, &found);
        if (further.text[0] == '\0') break;
        found = further;
    }
    return found;
}

static bool is_modal(const char *text)
{
    return in(modals, text) || ends(text, "'ll") || ends(text, "'d");
}

static bool is_have(const char *text)
{
    return in(have_forms, text) || ends(text, "'ve");
}

static bool is_owner(const char *text)
{
    return (ends(text, "'s") || ends(text, "s'")) && !in(be_forms, text) &&
           !in(" let's there's what's who's here's where's how's ", text);
}

static bool is_plural(const char *text)
{
    if (in(" people children men women police ", text)) return true;
    return ends(text, "s") && !ends(text, "ss") && !ends(text, "'s") && !ends(text, "us") &&
           !in(be_forms, text) && !in(" this its his as has does always perhaps yes ", text);
}

/* A word that says nothing of the one beside it. */
static bool is_plain(const char *text)
{
    return text[0] != '\0' && !in(linkers, text) && !in(determiners, text) && !is_modal(text);
}

static vx_tag tag_read(const view *v, const word *w)
{
    word previous = before_adverbs(v, w), further = before(v, &previous);
    if (previous.text[0] == '\0' || is_modal(previous.text)) return VX_TAG_VERB;
    if (in(" a the this that one and or ", previous.text)) return VX_TAG_NONE;
    if (in(" good great interesting easy quick fun must ", previous.text)) return VX_TAG_NONE;
    bool asked = in(subjects, previous.text) && is_modal(further.text);
    return asked || in(objects, previous.text) ? VX_TAG_VERB : VX_TAG_PAST;
}

static vx_tag tag_used(const view *v, const word *w)
{
    word previous = before_adverbs(v, w), to = after(v, w), object = after(v, &to);
    if (!in(be_forms, previous.text)) return VX_TAG_PAST;
    /* "is used to the noise" is a habit, "is used to cut" is not. */
    bool habit = object.text[0] == '\0' || in(object_starts, object.text) ||
                 in(determiners, object.text) || ends(object.text, "ing");
    return habit ? VX_TAG_PAST : VX_TAG_NONE;
}

static vx_tag tag_wound(const view *v, const word *w)
{
    word previous = before_adverbs(v, w), next = after(v, w);
    bool turned = in(" up around down through back its ", next.text);
    if (in(determiners, previous.text) || is_owner(previous.text)) return VX_TAG_NONE;
    return turned || is_have(previous.text) ? VX_TAG_PAST : VX_TAG_NONE;
}

static vx_tag tag_that(const view *v, const word *w)
{
    word previous = before(v, w), next = after(v, w), further = after(v, &next);
    bool starts = previous.text[0] == '\0' || in(" and but so or ", previous.text);
    if (strcmp(w->text, "that") != 0) return starts ? VX_TAG_DETERMINER : VX_TAG_NONE;
    if (next.text[0] == '\0' || in(demonstrated, next.text)) return VX_TAG_DETERMINER;
    bool linked = in(" because if when since while though ", previous.text);
    if ((starts || linked) && in(after_that, next.text)) return VX_TAG_DETERMINER;
    bool subject = in(subjects, next.text) || in(singular_subjects, next.text);
    if (previous.text[0] == '\0' && is_plain(next.text) && !subject) return VX_TAG_DETERMINER;
    if (in(prepositions, previous.text) || strcmp(previous.text, "to") == 0)
        return VX_TAG_DETERMINER;
    bool object = is_plain(next.text) && further.text[0] == '\0';
    return object && in(takes_that, previous.text) ? VX_TAG_DETERMINER : VX_TAG_NONE;
}

/* A word in capitals: a name or an abbreviation, unless its neighbours shout too. */
static vx_tag tag_capitals(const view *v, const word *w)
{
    bool shouted = false;
    word sides[2] = {before(v, w), after(v, w)};
    for (int s = 0; s < 2; s++) {
        if (sides[s].text[0] == '\0') continue;
        const vx_token *token = &v->tokens->token[sides[s].token];
        size_t capitals = 0;
        for (size_t i = 0; i < token->length; i++)
            capitals += v->text[token->start + i] >= 'A' && v->text[token->start + i] <= 'Z';
        shouted |= token->length > 1 && capitals == token->length;
    }
    if (shouted) return VX_TAG_NONE;
    if (in(" us ", w->text)) return VX_TAG_NAME;
    bool noun = in(determiners, sides[0].text) || in(prepositions, sides[0].text);
    if (in(" it who ", w->text)) return noun ? VX_TAG_NAME : VX_TAG_NONE;
    return in(emphasized, w->text) ? VX_TAG_NONE : VX_TAG_NAME;
}

static bool in_capitals(const view *v, size_t i)
{
    const vx_token *token = &v->tokens->token[i];
    for (size_t at = 0; at < token->length; at++) {
        char c = v->text[token->start + at];
        if (c < 'A' || c > 'Z') return false;
    }
    return true;
}

/* "A" as a letter: "vitamin A", "A." */
static vx_tag tag_a(const view *v, const word *w)
{
    bool capital = v->text[v->tokens->token[w->token].start] == 'A';
    word previous = before(v, w), next = after(v, w);
    if (!capital) return VX_TAG_DETERMINER;
    if (next.text[0] == '\0') return VX_TAG_LETTER;
    if (previous.text[0] == '\0' || in_capitals(v, previous.token)) return VX_TAG_DETERMINER;
    bool named = in(lettered, previous.text) || !is_plain(next.text);
    return named ? VX_TAG_LETTER : VX_TAG_DETERMINER;
}

/* After a word that is neither article nor auxiliary, what follows decides. */
static vx_tag tag_by_next(const view *v, const word *w, const word *previous, bool s_form)
{
    word next = after(v, w);
    if ((strcmp(w->text, "live") == 0 || strcmp(w->text, "lives") == 0) && in(places, next.text))
        return VX_TAG_VERB;
    bool starts = previous->text[0] == '\0';
    bool object = in(object_starts, next.text);
    if (starts && object && !s_form) return VX_TAG_VERB;
    if (starts && strcmp(w->text, "object") == 0 && strcmp(next.text, "to") == 0)
        return VX_TAG_VERB;
    if (starts && s_form) return VX_TAG_NOUN; /* "Contents under pressure" */
    if (starts) return in(adjectives, w->text) && is_plain(next.text) ? VX_TAG_ADJ : VX_TAG_NONE;
    if (object) return VX_TAG_VERB;
    word further = before(v, previous);
    bool one = in(" a an this that each another one ", further.text) && /* "a bytes object" */
               strcmp(previous->text, "people") != 0;
    bool goes_on = next.text[0] != '\0' && !in(be_forms, next.text) && !ends(next.text, "ing");
    bool adjective = in(adjectives, w->text) && strcmp(w->text, "live") != 0 &&
                     is_plain(next.text) && !ends(next.text, "ly");
    bool many = is_plural(previous->text) && !in(plural_modifiers, previous->text);
    if (!s_form && many && !one && !adjective && (goes_on || in(mostly_verbs, w->text)))
        return VX_TAG_VERB;
    if (adjective) return VX_TAG_ADJ;
    if (s_form && in(" and or ", previous->text)) return VX_TAG_NOUN;
    if (!is_plain(previous->text) || in(adjectives, w->text)) return VX_TAG_NONE;
    if (next.text[0] == '\0' || in(prepositions, next.text) || in(be_forms, next.text) ||
        is_modal(next.text) || is_have(next.text))
        return VX_TAG_NOUN;
    return VX_TAG_NONE;
}

static vx_tag tag_by_previous(const view *v, const word *w)
{
    word previous = before_adverbs(v, w), next = after(v, w), further = before(v, &previous);
    const char *p = previous.text;
    bool s_form = ends(w->text, "s") && !ends(w->text, "ss");
    bool adjective =
        in(adjectives, w->text) && (is_plain(next.text) || in(" and or but ", next.text));
    if (in(" close closer ", w->text) && in(" to than ", next.text)) return VX_TAG_ADJ;
    word direct = before(v, w);
    bool adverb = ends(direct.text, "ly") || in(" never always often also really ", direct.text);
    /* "Never attribute …", "the theory plainly advocates …" */
    if (adverb && adjective) return VX_TAG_ADJ; /* "practically perfect people" */
    if (adverb && (s_form ? !in(be_forms, p) : direct.token == previous.token)) return VX_TAG_VERB;
    if (!s_form && strcmp(direct.text, "not") == 0 && strcmp(p, "better") == 0) return VX_TAG_VERB;
    if (strcmp(w->text, "separate") == 0 && strcmp(next.text, "from") == 0) return VX_TAG_ADJ;
    if (s_form && strcmp(next.text, "to") == 0 && strcmp(w->text, "uses") == 0) return VX_TAG_VERB;
    if (!s_form && strcmp(p, "than") == 0 && strcmp(further.text, "rather") == 0)
        return VX_TAG_VERB;
    if (!s_form && in(" which who ", p) && further.text[0] != '\0') return VX_TAG_VERB;
    if (strcmp(p, "to") == 0 && in(to_nouns, further.text)) return VX_TAG_NOUN;
    if (is_modal(p)) return s_form ? VX_TAG_NOUN : VX_TAG_VERB;
    if (in(objects, p) || (in(subjects, p) && (!s_form || strcmp(p, "who") == 0)))
        return VX_TAG_VERB;
    /* "assumed that syndicates …", "a thing that increases …" */
    bool says = strcmp(p, "that") == 0 && (ends(further.text, "ed") || in(sayings, further.text));
    if (s_form && says) return VX_TAG_NOUN;
    if (s_form && in(singular_subjects, p)) return VX_TAG_VERB;
    if (strcmp(p, "that") == 0) return is_plural(further.text) ? VX_TAG_VERB : VX_TAG_NOUN;
    if (s_form && in(" consists purports ", w->text)) return VX_TAG_VERB;
    if (in(degrees, p) && in(adjectives, w->text)) return VX_TAG_ADJ;
    if (strcmp(p, "both") == 0 && in(mostly_verbs, w->text)) return VX_TAG_VERB;
    if (in(determiners, p) || is_owner(p) || in(prepositions, p))
        return adjective ? VX_TAG_ADJ : VX_TAG_NOUN;
    if (in(be_forms, p)) return VX_TAG_ADJ;
    /* "the largest increases"; "try and live" */
    if (ends(p, "est") && s_form) return VX_TAG_NOUN;
    if (strcmp(p, "and") == 0 && in(" try go come stay wait sit help ", further.text) && !s_form)
        return VX_TAG_VERB;
    return tag_by_next(v, w, &previous, s_form);
}

vx_tag vx_tag_word(const char *text, const vx_tokens *tokens, size_t i)
{
    view v = {text, tokens};
    word w = word_of(&v, i);
    if (strcmp(w.text, "a") == 0) return tag_a(&v, &w);
    if (strcmp(w.text, "am") == 0) {
        word number = before(&v, &w);
        char last = number.text[0] != '\0' ? number.text[strlen(number.text) - 1] : '\0';
        if (last >= '0' && last <= '9') return VX_TAG_NAME;
    }
    if (tokens->token[i].length > 1 && in_capitals(&v, i)) return tag_capitals(&v, &w);
    if (strcmp(w.text, "that") == 0 || strcmp(w.text, "that's") == 0) return tag_that(&v, &w);
    if (strcmp(w.text, "read") == 0 || strcmp(w.text, "reread") == 0) return tag_read(&v, &w);
    if (strcmp(w.text, "used") == 0) return tag_used(&v, &w);
    if (strcmp(w.text, "wound") == 0) return tag_wound(&v, &w);
    if ((ends(w.text, "ed") || ends(w.text, "ing")) && !in(own_endings, w.text)) return VX_TAG_VERB;
    return tag_by_previous(&v, &w);
}
