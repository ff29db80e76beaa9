#include "packs/pull.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sha256.h"
#include "packs/pull_pip.h"

enum {
    ATTEMPTS = 5,
    REDIRECTS = 5,        /* hubs need one, to their storage */
    CONNECT_SECONDS = 30, /* to reach a server at all */
    STALLED_SECONDS = 60, /* below a kilobyte a second for so long counts as broken */
    URL_BYTES = 1400
};

/* One download under way. */
typedef struct pull {
    const vx_pack_source *source;
    const vx_pull_options *options;
    CURL *curl;
    int fd; /* the part file, locked */
    vx_path part, target;
    char url[URL_BYTES];
    vx_sha256 hash; /* of the first `bytes` of the part */
    int64_t bytes;  /* in the part file */
    bool started;   /* this answer's first bytes have come */
    int disk_error; /* errno of a failed write */
    bool too_long;  /* the server sends more than the source's length */
} pull;

static void init_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static vx_status make_url(pull *p, vx_error *err)
{
    if (p->source->bytes <= 0)
        return vx_fail(err, VX_ERR_INPUT, "bad_pack",
                       "the pack does not say how many bytes %s has, and what has no bound is not "
                       "fetched; add bytes to its source",
                       p->source->file);
    const char *url = p->source->url, *hub = p->options->hub;
    if (hub == NULL) hub = VX_PULL_HUB;
    /* Only the hub, which the user names and not the pack, may be reached without certificates. */
    bool own = strstr(url, "://") != NULL;
    int length = own ? snprintf(p->url, sizeof p->url, "%s", url)
                     : snprintf(p->url, sizeof p->url, "%s%s%s", hub,
                                hub[0] != '\0' && hub[strlen(hub) - 1] == '/' ? "" : "/", url);
    bool http = strncasecmp(p->url, "http://", 7) == 0;
    if (length < 0 || (size_t)length >= sizeof p->url ||
        (!(http && !own) && strncasecmp(p->url, "https://", 8) != 0))
        return vx_fail(err, VX_ERR_INPUT, "bad_pack",
                       "%.200s is no address that can be fetched; sources begin with https:// or "
                       "are paths of the hub",
                       p->url);
    return VX_OK;
}

/* The token may go to this address: https, and the hub's own host. */
static bool may_have_token(const pull *p)
{
    const char *hub = p->options->hub != NULL ? p->options->hub : VX_PULL_HUB;
    if (strncasecmp(p->url, "https://", 8) != 0 || strncasecmp(hub, "https://", 8) != 0)
        return false;
    size_t host = strcspn(p->url + 8, "/?#");
    return host == strcspn(hub + 8, "/?#") && strncasecmp(p->url + 8, hub + 8, host) == 0;
}

static vx_status disk_failed(const pull *p, int cause, vx_error *err)
{
    return vx_fail_at(err, VX_ERR_IO, "write_failed", p->part.text, 0,
                      "cannot write %s: %s; free some space and run the command again, it goes on "
                      "from there",
                      p->part.text, strerror(cause));
}

/* Forgets what has arrived. */
static vx_status start_over(pull *p, vx_error *err)
{
    vx_sha256_start(&p->hash);
    p->bytes = 0;
    if (ftruncate(p->fd, 0) != 0 || lseek(p->fd, 0, SEEK_SET) != 0)
        return disk_failed(p, errno, err);
    return VX_OK;
}

/* Whether the open part is still what the name leads to: until it was locked, another process could
 * give it its final name. */
static bool is_current(const pull *p)
{
    struct stat open_file, named;
    return fstat(p->fd, &open_file) == 0 && lstat(p->part.text, &named) == 0 &&
           open_file.st_dev == named.st_dev && open_file.st_ino == named.st_ino;
}

static vx_status lock_part(pull *p, vx_error *err)
{
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        p->fd = open(p->part.text, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (p->fd < 0) return disk_failed(p, errno, err);
        if (flock(p->fd, LOCK_EX | LOCK_NB) != 0) break;
        if (is_current(p)) return VX_OK;
        close(p->fd);
        p->fd = -1;
    }
    return vx_fail(err, VX_ERR_DEADLINE, "busy",
                   "another process is fetching %s; wait for it to end", p->source->file);
}

/* Opens and locks the part file and hashes what an earlier attempt left in it. */
static vx_status open_part(pull *p, vx_error *err)
{
    VX_TRY(lock_part(p, err));
    VX_TRY(lseek(p->fd, 0, SEEK_SET) == 0 ? VX_OK : disk_failed(p, errno, err));
    vx_sha256_start(&p->hash);
    char buffer[65536];
    ssize_t got;
    while ((got = read(p->fd, buffer, sizeof buffer)) > 0) {
        vx_sha256_add(&p->hash, buffer, (size_t)got);
        p->bytes += got;
    }
    if (got < 0) return disk_failed(p, errno, err);
    if (p->bytes > p->source->bytes) return start_over(p, err);
    return VX_OK;
}

/* Refuses a download that can't fit before it begins. */
static vx_status check_space(const pull *p, const char *folder, vx_error *err)
{
    struct statvfs space;
    if (statvfs(folder, &space) != 0) return VX_OK;
    double room = (double)space.f_bavail * (double)space.f_frsize;
    double wanted = (double)(p->source->bytes - p->bytes);
    if (wanted <= room) return VX_OK;
    return vx_fail_at(err, VX_ERR_IO, "disk_full", folder, 0,
                      "%s needs %.1f MB and %s has %.1f MB free; free some space", p->source->file,
                      wanted * 1e-6, folder, room * 1e-6);
}

/* Bytes of the body. An error page is swallowed; an answer that ignores the range starts over. */
static size_t on_bytes(char *data, size_t size, size_t count, void *arg)
{
    pull *p = arg;
    size_t bytes = size * count;
    long code = 0;
    curl_easy_getinfo(p->curl, CURLINFO_RESPONSE_CODE, &code);
    if (code != 200 && code != 206) return bytes;
    if (!p->started && code == 200 && start_over(p, NULL) != VX_OK) {
        p->disk_error = errno;
        return 0;
    }
    p->started = true;
    if (p->bytes + (int64_t)bytes > p->source->bytes) {
        p->too_long = true;
        return 0;
    }
    for (size_t done = 0; done < bytes;) {
        ssize_t wrote = write(p->fd, data + done, bytes - done);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) {
            p->disk_error = errno;
            return 0;
        }
        vx_sha256_add(&p->hash, data + done, (size_t)wrote);
        done += (size_t)wrote;
        p->bytes += wrote;
    }
    return bytes;
}

static int on_progress(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total,
                       curl_off_t up_now)
{
    (void)total, (void)now, (void)up_total, (void)up_now;
    pull *p = arg;
    if (vx_cancelled(p->options->cancel)) return 1;
    if (p->options->progress != NULL && p->started)
        p->options->progress(p->options->arg, (uint64_t)p->bytes, (uint64_t)p->source->bytes);
    return 0;
}

static void set_options(pull *p, char range[32])
{
    CURL *curl = p->curl;
    bool http = strncasecmp(p->url, "http://", 7) == 0;
    curl_easy_setopt(curl, CURLOPT_URL, p->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, http ? "http,https" : "https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, http ? "http,https" : "https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)REDIRECTS);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1000L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)STALLED_SECONDS);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "vortex/" VX_VERSION);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, p);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, p);
    if (p->bytes > 0) {
        snprintf(range, 32, "%lld-", (long long)p->bytes);
        curl_easy_setopt(curl, CURLOPT_RANGE, range);
    }
    /* libcurl keeps the token from other hosts when it is redirected. */
    if (p->options->token != NULL && may_have_token(p)) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, p->options->token);
    }
}

static vx_status refuse_code(const pull *p, long code, vx_error *err)
{
    if (code == 401 || code == 403)
        return vx_fail_at(err, VX_ERR_MISSING, "needs_token", p->url, 0,
                          "%s answers %ld: not without permission; accept its licence on the hub "
                          "and set HF_TOKEN to your token",
                          p->url, code);
    if (code == 404 || code == 410)
        return vx_fail_at(err, VX_ERR_MISSING, "no_such_file", p->url, 0,
                          "%s is not there (answer %ld); check the pack's source", p->url, code);
    return vx_fail_at(err, VX_ERR_IO, "download_failed", p->url, 0,
                      "%s answers %ld; try again later", p->url, code);
}

/* One request. *again: what went wrong may be gone with the next. */
static vx_status request(pull *p, bool *again, vx_error *err)
{
    char range[32], detail[CURL_ERROR_SIZE] = "";
    *again = false;
    p->started = false;
    p->curl = curl_easy_init();
    if (p->curl == NULL)
        return vx_fail(err, VX_ERR_MEMORY, "no_memory", "not enough memory to fetch %s",
                       p->source->file);
    set_options(p, range);
    curl_easy_setopt(p->curl, CURLOPT_ERRORBUFFER, detail);
    CURLcode result = curl_easy_perform(p->curl);
    long code = 0;
    curl_easy_getinfo(p->curl, CURLINFO_RESPONSE_CODE, &code);
    curl_easy_cleanup(p->curl);
    if (vx_cancelled(p->options->cancel))
        return vx_fail(err, VX_ERR_CANCELLED, "cancelled",
                       "fetching %s was cancelled; run the command again to go on from there",
                       p->source->file);
    if (p->disk_error != 0) return disk_failed(p, p->disk_error, err);
    if (p->too_long) return VX_OK; /* told by its length */
    if (code == 416) {             /* what we have is no part of their file */
        *again = true;
        VX_TRY(start_over(p, err));
        return refuse_code(p, code, err);
    }
    if (code >= 400) {
        *again = code >= 500 || code == 408 || code == 429;
        return refuse_code(p, code, err);
    }
    if (result == CURLE_OK) return VX_OK;
    *again = result != CURLE_TOO_MANY_REDIRECTS && result != CURLE_UNSUPPORTED_PROTOCOL &&
             result != CURLE_PEER_FAILED_VERIFICATION && result != CURLE_URL_MALFORMAT;
    return vx_fail_at(err, VX_ERR_IO, "download_failed", p->url, 0,
                      "cannot fetch %s: %s; run the command again, it goes on from there", p->url,
                      detail[0] != '\0' ? detail : curl_easy_strerror(result));
}

/* 1, 2, 4, … seconds, in steps short enough to cancel. */
static void wait_before(int attempt, vx_cancel *cancel)
{
    for (int step = 0; step < 10 << (attempt < 5 ? attempt : 5) && !vx_cancelled(cancel); step++)
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
}

static vx_status download(pull *p, vx_error *err)
{
    int attempts = p->options->attempts > 0 ? p->options->attempts : ATTEMPTS;
    vx_status status = VX_OK;
    bool again = true;
    for (int attempt = 0; attempt < attempts && again; attempt++) {
        if (p->bytes == p->source->bytes) return VX_OK;
        if (attempt > 0) wait_before(attempt - 1, p->options->cancel);
        status = request(p, &again, err);
    }
    return status;
}

/* Gives the whole file its name, or throws a wrong one away. */
static vx_status settle(pull *p, vx_error *err)
{
    char hex[65];
    vx_sha256_finish(&p->hash, hex);
    bool length = p->bytes == p->source->bytes;
    if (p->too_long || !length || strcmp(hex, p->source->sha256) != 0) {
        unlink(p->part.text);
        if (p->too_long || !length)
            return vx_fail_at(err, VX_ERR_INPUT, "bad_download", p->url, 0,
                              "%s has %s%lld bytes and must have %lld; it is another file, or was "
                              "changed",
                              p->url, p->too_long ? "more than " : "", (long long)p->bytes,
                              (long long)p->source->bytes);
        return vx_fail_at(err, VX_ERR_INPUT, "bad_download", p->url, 0,
                          "%s has SHA-256 %.12s… and must have %.12s…; it is another file, or was "
                          "changed on the way",
                          p->url, hex, p->source->sha256);
    }
    if (fsync(p->fd) != 0 || rename(p->part.text, p->target.text) != 0)
        return disk_failed(p, errno, err);
    vx_folder_sync(p->target.text);
    return VX_OK;
}

vx_status vx_pull(const vx_pack_source *source, const char *folder, const vx_pull_options *options,
                  bool *fetched, vx_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_curl);
    pull p = {.source = source, .options = options, .fd = -1};
    char name[256];
    *fetched = false;
    snprintf(name, sizeof name, ".%s.part", source->file);
    VX_TRY(make_url(&p, err));
    VX_TRY(vx_folder_make(folder, err));
    if (!vx_path_join(&p.target, folder, source->file) || !vx_path_join(&p.part, folder, name))
        return vx_fail(err, VX_ERR_USAGE, "bad_folder", "%s is too long a path; shorten it",
                       folder);
    if (vx_pack_source_is(source, p.target.text)) return VX_OK;
    vx_status status = open_part(&p, err);
    bool ours = p.fd >= 0 && status != VX_ERR_DEADLINE;
    if (status == VX_OK) status = check_space(&p, folder, err);
    if (status == VX_OK) status = download(&p, err);
    if (status == VX_OK) status = settle(&p, err);
    if (status != VX_OK && ours && p.bytes == 0) unlink(p.part.text);
    if (p.fd >= 0) close(p.fd);
    *fetched = status == VX_OK;
    return status;
}
