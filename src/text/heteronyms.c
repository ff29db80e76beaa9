#include "text/heteronyms.h"

#include <string.h>

#include "text/phonemes.h"
#include "text/scan.h"

enum { NEAR = 7, WORD_BYTES = 20 };

/* A rule holds when any of its lists has its neighbour, and always when it has none. Lists have a
 * space on both sides of every word. The first rule of a word that holds decides. Pronunciations:
 * CMUdict and Wiktionary's American and British transcriptions, in Kokoro's symbols. */
typedef struct rule {
    const char *word;
    const char *us, *gb;        /* NULL: as the lexicon and its tags have it */
    const char *before, *after; /* the next word; "." is an end of the clause; NULL for no list */
    const char *near;           /* a word of the same sentence, at most NEAR words away */
} rule;

#define SHIP                                                                                       \
    " ship ships boat boats stern deck hull vessel prow port starboard sailed sail sails anchor "  \
    "ferry submarine torpedo keel captain sailor sailors yacht canoe harbor aft bowsprit wave "    \
    "waves oars "
#define MUSIC                                                                                      \
    " guitar guitars drum drums player players line lines clef band music song singer voice "      \
    "notes note treble baritone tenor soprano jazz rock amplifier speaker speakers sound boost "   \
    "clarinet drummer guitarist trumpet piano album opera "
#define FISH                                                                                       \
    " fish fishing fished pounder landed lake river caught catch sea largemouth smallmouth "       \
    "striped trout rod "                                                                           \
    "lure lures pond angler anglers grilled fillet pike perch salmon bait reef boat "
#define PRONOUNS " i he she it we they who you and then "
#define DETERMINERS                                                                                \
    " a an the this that these those my your his her its our their no each every some any "        \
    "another "
#define METALS                                                                                     \
    " mercury cadmium arsenic zinc copper tin metal metals toxic molten plumbing solder alloy "    \
    "alchemist alchemists gold silver iron paint poisoning pipes gasoline petrol dross nickel "    \
    "chromium uranium "
#define CLOTH                                                                                      \
    " shirt jacket fabric paper cloth coat trousers jeans sleeve curtain net sail muscle "         \
    "ligament tendon cartilage meniscus knee retina pocket dress "

static const rule rules[] = {
    /* lead: the metal */
    {"lead", NULL, NULL,
     " to will would can could may might must should shall took take takes taking who that "
     "not i we they you roads can't won't ",
     " to the us them him me you into role singer actor vocals story off by ", NULL},
    {"lead", "lˈɛd", "lˈɛd",
     " molten red white unleaded liquid sheet tetraethyl heavy black pencil melted "
     "containing contain contains dull ",
     " pipe pipes paint paints poisoning acid acetate bullet bullets shot weights pencil pencils "
     "crystal ore mine mines sinker sinkers levels battery batteries oxide content free glass roof "
     "roofs toys soldiers exposure dust smelter contamination balloon coffin additives glazes "
     "carbonate sulfide type solder ",
     METALS},
    /* bow: of a ship, and what is done before a king */
    {"bow", "bˈW", "bˈW",
     " deep low slight formal polite courtly final stiff gracious mock ship's boat's "
     "graceful respectful sweeping profound ",
     " wave thruster rudder deck ", SHIP},
    {"bow", NULL, NULL, NULL, " and tie ties legs string window strings ", NULL},
    {"bow", "bˈW", "bˈW", " took take takes taking make made makes ", " to before out ",
     " took take takes taking curtain audience applause stage king queen knee head politely "},
    {"bowed", "bˈWd", "bˈWd", NULL, " to down before low his her out their and deeply ",
     " head heads king queen "},
    {"bowed", "bˈWd", "bˈWd", PRONOUNS, NULL, NULL},
    {"bass", "bˈæs", "bˈas", " sea largemouth smallmouth striped caught ",
     " fishing boat tournament fisherman ", FISH},
    {"bass", "bˈAs", "bˈAs", NULL, NULL, MUSIC},
    {"bass", "bˈAs", "bˈAs", " the a double on deep his her heavy ", NULL, NULL},
    {"bass", "bˈAs", "bˈAs", NULL, NULL, NULL},
    {"row", "ɹˈW", "ɹˈW",
     " furious angry blazing bitter political diplomatic public heated huge flaming terrible "
     "almighty family ",
     " over about broke erupted ", " quarrel argument shouting erupted "},
    {"sow", "sˈW", "sˈW", " pregnant old fat wild brood ", "  's nursing ",
     " piglet piglets pig pigs boar litter pork farrowing "},
    {"tear", NULL, NULL, NULL,
     " gas drop drops duct ducts stained to rolled ran fell slid trickled ", NULL},
    {"tear", "tˈɛɹ", "tˈɛː",
     " muscle ligament cuff meniscus hamstring tendon labral groin calf to will would "
     "can could don't not you they we ",
     " up down off apart through away open into along resistant ", CLOTH},
    {"tears", "tˈɛɹz", "tˈɛːz", " he she it muscle ligament ",
     " up down off apart through away into open ", CLOTH},
    {"wind", "wˈInd", "wˈInd",
     " to would will can you'll must roads streams rivers could we they you paths let's ",
     " up your its his their around round ", " clock yarn spool "},
    {"winds", "wˈIndz", "wˈIndz",
     " river road path trail stream staircase street it he she that which track lane ",
     " through its around up along down past between round ", NULL},
    {"wound", "wˈWnd", "wˈWnd", PRONOUNS " had has have river road path trail procession ",
     " up around round through down its tightly along between past tight ", NULL},
    {"minute", NULL, NULL, " one per every each last this any ", NULL, NULL},
    {"minute", "mInˈut", "mInjˈuːt",
     " so very too most almost extremely incredibly more as rather these those many microscopic "
     "such even ",
     " detail details amount amounts quantity quantities trace traces particle particles "
     "difference differences examination description attention fraction fragments organisms "
     "creatures holes dose doses portion crystals specks inspection changes variations size "
     "observation animals grains insects proportion ",
     NULL},
    {"dove", NULL, NULL, DETERMINERS " white turtle mourning gray grey rock ", NULL, NULL},
    {"dove", "dˈOv", "dˈQv", PRONOUNS " dove divers suddenly quickly immediately planes ",
     " into under headfirst headlong deep beneath below off in for straight down from toward ",
     NULL},
    {"live", "lˈIv", "lˈIv", NULL,
     " music show shows concert concerts broadcast broadcasts audience band recording recordings "
     "album tv television stream streams streaming performance performances coverage animal "
     "animals ammunition wire wires video event events chat bait births updates entertainment "
     "action bullets ",
     NULL},
    {"live", "lˈIv", "lˈIv", " was is went going aired airs broadcast recorded performed sold ",
     " from ", " concert broadcast stage audience channel television "},
    {"live", "lˈɪv", "lˈɪv", NULL,
     " and with by for in your long well like happily together within there here alone under ",
     NULL},
    {"close", "klˈOs", "klˈQs",
     " very so too quite pretty how as extremely came come get got stay stood up ",
     " to friend friends by enough call relative relatives range look attention ally allies "
     "ties relationship proximity contact eye second combat quarters race "
     "inspection watch colleague associate family resemblance game finish examination link links "
     "cooperation ",
     NULL},
    {"resume", "ɹˈɛzəmˌA", "ɹˈɛzjʊmA",
     " my your his her their a the our an updated impressive good great this whose each every "
     "strong one's job ",
     " builder writing template tips review ", " hiring recruiter applicant "},
    {"resumes", "ɹˈɛzəmˌAz", "ɹˈɛzjʊmAz",
     " their many send sent of the our submitted reviewing hundred thousand ", NULL,
     " hiring recruiter applicants candidates "},
    {"number", "nˈʌməɹ", "nˈʌmə", " grew felt feel feels growing ", NULL, NULL},
    {"polish", "pˈɑlɪʃ", "pˈɒlɪʃ", NULL, " the your my his our them it up off ", NULL},
    {"polish", "pˈOlɪʃ", "pˈQlɪʃ", NULL,
     " sausage government army people president language border ", NULL},
    {"bases", "bˈAsᵻz", "bˈAsɪz",
     " military air naval army loaded three four all two touched covered stole stolen "
     "enemy base rebel allied home touch ",
     " loaded empty ",
     " military troops army baseball inning runner runners batter "
     "pitcher naval soldiers missiles drones acid acids "},
    {"axes", "ˈæksᵻz", "ˈaksɪz",
     " battle stone sharp their pick throwing ice fire bronze polished ", " ",
     " wood chop chopped hatchet hatchets swords hammers shovels saws forest "
     "warriors lumberjacks spears knives "},
    {"august", "ɔɡˈʌst", "ɔːɡˈʌst", NULL, " body institution assembly company presence personage ",
     NULL},
    {"job", "ʤˈOb", "ʤˈQb", " righteous patient ", NULL,
     " bible scripture satan psalms boils proverbs "},
    {"nice", "nˈis", "nˈiːs", NULL, NULL,
     " france riviera cannes monaco marseille marseilles provence "},
    {"reading", "ɹˈɛdɪŋ", "ɹˈɛdɪŋ", NULL, NULL,
     " berkshire slough swindon paddington oxford gaol pennsylvania "},
    {"slough", "slˈʌf", "slˈʌf", " to can will may skin ", " off away dead old its ", NULL},
    {"slough", "slˈW", "slˈW", NULL, " of ", " berkshire heathrow london reading despond "},
    {"putting", "pˈʌTɪŋ", "pˈʌtɪŋ", NULL, " green greens stroke surface ",
     " golf golfer birdie hole "},
    {"aged", "ˈAʤɪd", "ˈAʤɪd", " ",
     " man woman men women mother father parents parent couple aunt uncle face hands relative "
     "relatives person people king priest lady gentleman servant grandmother "
     "grandfather monk nun queen hermit ",
     NULL},
    {"aged", "ˈAʤɪd", "ˈAʤɪd", " the ", " . and are is in ", NULL},
    {"blessed", "blˈɛsɪd", "blˈɛsɪd", NULL,
     " virgin mother sacrament event relief thing day trinity silence peace memory saints are is "
     "lady lord assurance hope state spot damosel soul souls be ",
     NULL},
    {"learned", "lˈɜɹnɪd", "lˈɜːnɪd", " most deeply very ",
     " man men professor scholar scholars society societies judge friend gentleman journal "
     "journals colleague counsel doctor doctors debate treatise lady author essay woman profession "
     "professions discourse works ",
     NULL},
    {"learned", "lˈɜɹnd", "lˈɜːnd",
     PRONOUNS " is are was were be been being have has had is well hard recently lessons children ",
     " that to how about from by in ", NULL},
    {"upset", "ˌʌpsˈɛt", "ʌpsˈɛt",
     " very so get got gets getting was is are were be been too more really quite become became "
     "feel felt deeply terribly to him her ",
     " about by that with at when me him her them you ", NULL},
    {"cursed", "kˈɜɹst", "kˈɜːst", PRONOUNS " had have has was were be been being ",
     " at him her them under his the himself loudly and softly ", NULL},
    {"denier", "dˈɛnjəɹ", "dˈɛnɪə", NULL, " tights stockings yarn nylon ", NULL},
    {"pasty", "pˈAsti", "pˈAsti", " pale ", " face faced skin white complexion looking ", NULL},
    {"primer", "pɹˈɪməɹ", "pɹˈImə", NULL, " on in for about ",
     " textbook grammar beginners latin "},
    {"sake", "sˈɑki", "sˈɑːki", " hot warm cold drink drank drinking poured some japanese rice ",
     " bar cup cups bottle brewery bottles ", " sushi tempura japanese rice "},
    {"mole", "mˈOlA", "mˈQlA", " chicken ", " sauce poblano negro ", NULL},
    {"lima", "lˈImə", "lˈiːmə", NULL, " bean beans ", NULL},
    {"content", "kəntˈɛnt", "kəntˈɛnt",
     " them him us me be quite perfectly not very felt feel are was were am seemed seem remained "
     "well ",
     " with to ", NULL},
    {"content", "kˈɑntɛnt", "kˈɒntɛnt", NULL,
     " is creator creators creation marketing management strategy of on from farm moderation that "
     "was are for provider delivery ",
     NULL},
    {"content", "kˈɑntɛnt", "kˈɒntɛnt", NULL, NULL, NULL},
    {"refuse", "ɹˈɛfjˌus", "ɹˈɛfjuːs", DETERMINERS " of household garbage ",
     " bin bins heap heaps dump collection collector collectors disposal truck ",
     " rubbish trash garbage waste sewage "},
    {"does", "dˈOz", "dˈQz", " bucks two three several deer ", " grazed ",
     " stags bucks fawns deer fawn "},
    {"console", NULL, NULL, DETERMINERS, NULL, NULL},
    {"console", "kənsˈOl", "kənsˈQl", " to could can would will ",
     " him her them me you himself herself themselves myself ", NULL},
    {"entrance", "ɪntɹˈæns", "ɪntɹˈɑːns", " will would could can ", " him her them us me ", NULL},
    {"excuse", "ɪkskjˈuz", "ɪkskjˈuːz", " please to can't cannot ", " me my us him her the ", NULL},
    {"house", "hˈWz", "hˈWz", " to can could will would buildings museums ",
     " the a an over up more nearly thousands ", NULL},
    {"use", "jˈus", "jˈuːs", " no much any some good what ", " of ", NULL},
    {"intimate", "ˈɪntəmˌAt", "ˈɪntɪmAt", " to did ", " that ", NULL},
    {"desert", "dəzˈɜɹt", "dɪzˈɜːt", " to never not would will didn't don't ",
     " him her me them us his their you my ", NULL},
    {"perfect", "pəɹfˈɛkt", "pəfˈɛkt", " could would can ", " the their his her its our your ",
     NULL},
    {"object", NULL, NULL, DETERMINERS " as physical subject ", NULL, NULL},
    {"object", "əbʤˈɛkt", "əbʤˈɛkt", PRONOUNS " strongly who ", " strongly that ", NULL},
    {"objects", NULL, NULL, DETERMINERS, NULL, NULL},
    {"objects", "əbʤˈɛkts", "əbʤˈɛkts", NULL, " to strongly that ", NULL},
    /* no word that a lexicon has */
    {"shh", "ʃː", "ʃː", NULL, NULL, NULL},
    {"shhh", "ʃː", "ʃː", NULL, NULL, NULL},
    {"psst", "pst", "pst", NULL, NULL, NULL},
    {"moped", "mˈOpt", "mˈQpt", PRONOUNS, " around about in ", NULL},
    {"wicked", "wˈɪkt", "wˈɪkt", NULL, " away ", " sweat "},
    {"supply", "sˈʌpli", "sˈʌpli", " bent moved danced stretched ", NULL, NULL},
    {"unionized", "ʌnˈIənˌIzd", "ʌnˈIənIzd", NULL, " molecule molecules form ",
     " acid ph drug ammonia "},
    {"skied", "skˈid", "skˈiːd", PRONOUNS, " down off at in ", NULL},
    {"routed", "ɹˈWTᵻd", "ɹˈWtɪd", " completely utterly ", NULL,
     " army enemy troops battle fled forces "},
    {"agape", "ɑɡˈɑpA", "ˈaɡəpA", " christian ", " love ", " eros philia "},
    {"grave", "ɡɹˈɑv", "ɡɹˈɑːv", NULL, " accent accents ", NULL},
    {"ally", "əlˈI", "əlˈI", " to would will could should ",
     " with himself herself themselves itself ", NULL},
    {"alternate", "ˈɔltəɹnˌAt", "ˈɔːltənAt", " to they colors layers ", " between with ", NULL},
    {"invalid", "ˈɪnvəlɪd", "ˈɪnvəlɪd", " helpless confirmed chronic bedridden elderly ",
     " mother wife husband sister father aunt chair ", NULL},
};

/* The words of a token's sentence: before[0] stands next to it. */
typedef struct place {
    char before[NEAR][WORD_BYTES], after[NEAR][WORD_BYTES];
    bool ends; /* a clause ends behind the token */
} place;

static void copy_word(const char *text, const vx_token *token, char *out)
{
    size_t n = 0;
    for (size_t at = 0; at < token->length && n + 1 < WORD_BYTES; at++) {
        char c = text[token->start + at];
        if (token->length - at >= 3 && memcmp(text + token->start + at, "’", 3) == 0) {
            c = '\'';
            at += 2;
        }
        out[n++] = c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
    }
    out[n] = '\0';
}

static bool ends_sentence(const vx_token *token)
{
    return token->kind == VX_TOKEN_MARK &&
           (strcmp(token->mark, ".") == 0 || strcmp(token->mark, "!") == 0 ||
            strcmp(token->mark, "?") == 0);
}

static void look_around(const char *text, const vx_tokens *tokens, size_t i, place *p)
{
    memset(p, 0, sizeof *p);
    /* A mark takes a place, so that a neighbour beyond it is near and not next. */
    for (size_t k = i, n = 0; k > 0 && n < NEAR && !ends_sentence(&tokens->token[k - 1]); k--)
        if (tokens->token[k - 1].kind != VX_TOKEN_MARK)
            copy_word(text, &tokens->token[k - 1], p->before[n++]);
        else if (tokens->token[k - 1].mark[0] != '\0')
            n++;
    size_t next = i + 1;
    while (next < tokens->count && tokens->token[next].kind == VX_TOKEN_MARK &&
           tokens->token[next].mark[0] == '\0')
        next++;
    p->ends = next == tokens->count || tokens->token[next].kind == VX_TOKEN_MARK;
    for (size_t k = next, n = 0; k < tokens->count && n < NEAR; k++) {
        if (ends_sentence(&tokens->token[k])) break;
        if (tokens->token[k].kind != VX_TOKEN_MARK)
            copy_word(text, &tokens->token[k], p->after[n++]);
        else if (tokens->token[k].mark[0] != '\0')
            n++;
    }
}

static bool listed(const char *list, const char *word)
{
    return list != NULL && word[0] != '\0' && vx_in_list(list, word, strlen(word));
}

static bool holds(const rule *r, const place *p)
{
    if (r->before == NULL && r->after == NULL && r->near == NULL) return true;
    if (listed(r->before, p->before[0]) || listed(r->after, p->after[0])) return true;
    if (p->ends && r->after != NULL && strstr(r->after, " . ") != NULL) return true;
    for (size_t k = 0; k < NEAR; k++)
        if (listed(r->near, p->before[k]) || listed(r->near, p->after[k])) return true;
    return false;
}

bool vx_heteronym_say(const vx_words *words, const char *text, const vx_tokens *tokens, size_t i,
                      vx_strbuf *out)
{
    char word[WORD_BYTES];
    const vx_token *token = &tokens->token[i];
    if (token->kind != VX_TOKEN_WORD || token->length >= WORD_BYTES) return false;
    copy_word(text, token, word);
    place p;
    bool looked = false;
    for (size_t r = 0; r < sizeof rules / sizeof rules[0]; r++) {
        if (strcmp(rules[r].word, word) != 0) continue;
        if (!looked) look_around(text, tokens, i, &p);
        looked = true;
        if (!holds(&rules[r], &p)) continue;
        const char *phonemes = words->british ? rules[r].gb : rules[r].us;
        if (phonemes == NULL) return false;
        vx_strbuf_put(out, phonemes);
        return true;
    }
    return false;
}
