/* The server's parsers, keys, limits and counters by themselves; the server as a whole is tested by
 * tests/server/. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "server/clients.h"
#include "server/errors.h"
#include "server/events.h"
#include "server/http.h"
#include "server/keys.h"
#include "server/metrics.h"
#include "server/multipart.h"
#include "server/range.h"
#include "server/slots.h"
#include "server/wish.h"
#include "server/uri.h"

/* ---- targets ---------------------------------------------------------------------------------- */

static void targets_are_decoded_once(void **state)
{
    (void)state;
    vx_uri uri;
    assert_true(vx_uri_parse(&uri, "/api/v1/slots/a%20b?wait=1&download=a%2Fb&x&=y&z=a+b"));
    assert_int_equal(uri.segments, 4);
    assert_string_equal(uri.segment[3], "a b");
    assert_string_equal(vx_uri_query(&uri, "wait"), "1");
    assert_string_equal(vx_uri_query(&uri, "download"), "a/b");
    assert_string_equal(vx_uri_query(&uri, "x"), "");
    assert_string_equal(vx_uri_query(&uri, "z"), "a b");
    assert_null(vx_uri_query(&uri, "y"));
    assert_true(vx_uri_parse(&uri, "/a%252fb"));
    assert_string_equal(uri.segment[0], "a%2fb");
    assert_true(vx_uri_parse(&uri, "/"));
    assert_int_equal(uri.segments, 0);
}

static void odd_targets_are_refused(void **state)
{
    (void)state;
    static const char *const odd[] = {
        "",           "*",       "a/b",
        "http://h/a", "/a//b",   "/a/",
        "/a/./b",     "/a/../b", "/%2e%2e/a",
        "/%2E/a",     "/a%2fb",  "/a%2Fb",
        "/a%00b",     "/a%0ab",  "/a%",
        "/a%2",       "/a%zz",   "/a\\b",
        "/a%5cb",     "/a\nb",   "/a?b=%00",
        "/a?b=%0d",   "/a?%",    "/1/2/3/4/5/6/7",
        "/a\x7f",     "/a%7f",   "/?1&2&3&4&5&6&7&8&9&10&11&12&13&14&15&16&17"};
    char text[VX_URI_BYTES + 8];
    vx_uri uri;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        if (vx_uri_parse(&uri, odd[i])) fail_msg("'%s' was taken", odd[i]);
        assert_int_equal(uri.segments, 0);
        assert_int_equal(uri.queries, 0);
    }
    memset(text, 'a', sizeof text);
    text[0] = '/';
    text[VX_URI_BYTES] = '\0';
    assert_false(vx_uri_parse(&uri, text));
    text[VX_URI_BYTES - 1] = '\0';
    assert_true(vx_uri_parse(&uri, text));
}

static void every_route_is_found_by_its_path(void **state)
{
    (void)state;
    const char *id, *name;
    bool other;
    vx_uri uri;
    assert_true(vx_uri_parse(&uri, "/api/v1/slots/slot_1/film.mp4"));
    const vx_route *route = vx_route_find(&uri, "GET", &id, &name, &other);
    assert_non_null(route);
    assert_string_equal(route->path, "/api/v1/slots/{id}/{name}");
    assert_string_equal(id, "slot_1");
    assert_string_equal(name, "film.mp4");
    /* A word of ours is no file's name. */
    assert_true(vx_uri_parse(&uri, "/api/v1/slots/slot_1/events"));
    assert_string_equal(vx_route_find(&uri, "GET", &id, &name, &other)->path,
                        "/api/v1/slots/{id}/events");
    assert_true(vx_uri_parse(&uri, "/api/v1/slots"));
    assert_null(vx_route_find(&uri, "PUT", &id, &name, &other));
    assert_true(other);
    assert_true(vx_uri_parse(&uri, "/api/v1/slot"));
    assert_null(vx_route_find(&uri, "GET", &id, &name, &other));
    assert_false(other);
    json_t *api = vx_route_openapi();
    assert_non_null(api);
    for (const vx_route *r = vx_routes; r->path != NULL; r++)
        assert_non_null(json_object_get(json_object_get(api, "paths"), r->path));
    json_decref(api);
}

/* ---- ranges ------------------------------------------------------------------------------------- */

static void ranges(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        int64_t size;
        vx_range_kind kind;
        int64_t first, count;
    } cases[] = {
        {NULL, 100, VX_RANGE_WHOLE, 0, 100},
        {"bytes=0-", 100, VX_RANGE_PART, 0, 100},
        {"bytes=0-0", 100, VX_RANGE_PART, 0, 1},
        {"BYTES= 10-19 ", 100, VX_RANGE_PART, 10, 10},
        {"bytes=90-1000", 100, VX_RANGE_PART, 90, 10},
        {"bytes=-10", 100, VX_RANGE_PART, 90, 10},
        {"bytes=-1000", 100, VX_RANGE_PART, 0, 100},
        {"bytes=100-", 100, VX_RANGE_BEYOND, 0, 100},
        {"bytes=-0", 100, VX_RANGE_BEYOND, 0, 100},
        {"bytes=0-", 0, VX_RANGE_BEYOND, 0, 0},
        {"bytes=-1", 0, VX_RANGE_BEYOND, 0, 0},
        {"bytes=5-4", 100, VX_RANGE_WHOLE, 0, 100},
        {"bytes=0-1,3-4", 100, VX_RANGE_WHOLE, 0, 100},
        {"bytes=-", 100, VX_RANGE_WHOLE, 0, 100},
        {"bytes=", 100, VX_RANGE_WHOLE, 0, 100},
        {"bytes=a-b", 100, VX_RANGE_WHOLE, 0, 100},
        {"bytes=1-2x", 100, VX_RANGE_WHOLE, 0, 100},
        {"lines=0-1", 100, VX_RANGE_WHOLE, 0, 100},
        {"bytes=99999999999999999999999-", 100, VX_RANGE_BEYOND, 0, 100},
        {"bytes=1-99999999999999999999999", 100, VX_RANGE_PART, 1, 99},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t first, count;
        assert_int_equal(vx_range_parse(cases[i].header, cases[i].size, &first, &count),
                         cases[i].kind);
        assert_int_equal(first, cases[i].first);
        assert_int_equal(count, cases[i].count);
    }
}

/* ---- multipart ---------------------------------------------------------------------------------- */

static vx_status parse(vx_multipart *parts, const char *type, const char *body, vx_error *err)
{
    return vx_multipart_parse(parts, type, body, strlen(body), err);
}

static void multipart_parts(void **state)
{
    (void)state;
    vx_multipart parts;
    vx_error err = {0};
    const char *body =
        "preamble\r\n--b\r\nContent-Disposition: form-data; name=\"recipe\"\r\n\r\n{}\r\n--b\r\n"
        "Content-Type: image/png\r\ncontent-disposition: form-data; filename=\"../x;name=evil\"; "
        "name=image\r\n\r\n--x\r\n\r\n-b\r\n--b--\r\nepilogue";
    assert_int_equal(parse(&parts, "multipart/form-data; boundary=b", body, &err), VX_OK);
    assert_int_equal(parts.count, 2);
    const vx_part *recipe = vx_multipart_find(&parts, "recipe"),
                  *image = vx_multipart_find(&parts, "image");
    assert_true(recipe != NULL && recipe->bytes == 2 && memcmp(recipe->data, "{}", 2) == 0);
    /* Lines that only look like a boundary are data. */
    assert_true(image != NULL && image->bytes == 9 && memcmp(image->data, "--x\r\n\r\n-b", 9) == 0);
    assert_null(vx_multipart_find(&parts, "evil"));
    body = "--b\r\nContent-Disposition: form-data; name=\"a\\\"b\"\r\n\r\n\r\n--b--";
    assert_int_equal(parse(&parts, "multipart/form-data; charset=x; boundary=\"b\"", body, &err),
                     VX_OK);
    assert_string_equal(parts.part[0].name, "a\"b");
    assert_int_equal(parts.part[0].bytes, 0);
}

static void bad_multipart_is_refused(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "",
        "--b",
        "--b\r\n",
        "--b\r\n\r\n",
        "no boundary",
        "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx",
        "--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--",
        "--b\r\nContent-Disposition: form-data; name=\"\"\r\n\r\nx\r\n--b--",
        "--b\r\nContent-Disposition: form-data; name=\"a\r\n\r\nx\r\n--b--",
        "--bx\r\n\r\n\r\n--b--",
        "--b\r\nX: y\r\n\r\nx\r\n--b--",
        "--b\r\nContent-Disposition: form-data; name="
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\nx"
        "\r\n--b--"};
    vx_multipart parts;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        vx_error err = {0};
        if (parse(&parts, "multipart/form-data; boundary=b", bodies[i], &err) != VX_ERR_INPUT)
            fail_msg("body %zu was taken", i);
        assert_string_equal(err.code, "bad_multipart");
    }
    vx_error err = {0};
    assert_int_equal(parse(&parts, "multipart/form-data", "--b--", &err), VX_ERR_INPUT);
    assert_int_equal(parse(&parts, "multipart/form-data; boundary=", "----", &err), VX_ERR_INPUT);
    char many[VX_MULTIPART_PARTS * 64 + 200] = "";
    for (int i = 0; i <= VX_MULTIPART_PARTS; i++)
        strcat(many, "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n");
    strcat(many, "--b--");
    assert_int_equal(parse(&parts, "multipart/form-data; boundary=b", many, &err), VX_ERR_INPUT);
    assert_non_null(strstr(err.message, "too many"));
}

/* ---- what is asked for ---------------------------------------------------------------------------- */

static vx_status wish_for(vx_wish *wish, const char *type, const char *body, vx_error *err)
{
    static vx_serve_settings settings;
    static vx_server server;
    vx_request request = {
        .server = &server, .content_type = type, .body = (char *)body, .body_bytes = strlen(body)};
    vx_schema_defaults(vx_serve_rows, &settings);
    server.serve = &settings;
    memset(err, 0, sizeof *err);
    return vx_wish_of(&request, wish, err);
}

static void wishes(void **state)
{
    (void)state;
    vx_wish wish;
    vx_error err;
    assert_int_equal(
        wish_for(&wish, "application/json",
                 "{\"recipe\":{\"audio_track\":{\"script\":\"a\"},\"visual_track\":{\"image\":"
                 "\"data:image/png;base64,QUJD\"},\"output\":{\"container\":\"mkv\"}},"
                 "\"deadline_ms\":5,\"priority\":\"high\"}",
                 &err),
        VX_OK);
    assert_int_equal(wish.image_bytes, 3);
    assert_memory_equal(wish.image, "ABC", 3);
    assert_true(wish.mkv);
    assert_int_equal(wish.deadline_ms, 5);
    assert_int_equal(wish.priority, 1);
    assert_null(strstr(wish.text, "base64"));
    assert_int_equal(strlen(wish.sha256), 64);
    vx_wish_free(&wish);
    static const struct {
        const char *body, *code;
    } bad[] = {
        {"", "bad_json"},
        {"[]", "bad_json"},
        {"{}", "bad_json"},
        {"{\"recipe\":3}", "bad_recipe"},
        {"{\"recipe\":{},\"recipe\":{}}", "bad_json"},
        {"{\"recipe\":{},\"x\":1}", "bad_json"},
        {"{\"recipe\":{},\"deadline_ms\":0}", "bad_json"},
        {"{\"recipe\":{},\"deadline_ms\":\"1\"}", "bad_json"},
        {"{\"recipe\":{},\"priority\":\"first\"}", "bad_json"},
        {"{\"recipe\":{},\"priority\":1}", "bad_json"},
        {"{\"recipe\":{\"visual_track\":{\"image\":\"/etc/passwd\"}}}", "bad_image"},
        {"{\"recipe\":{\"visual_track\":{\"image\":\"upload\"}}}", "bad_image"},
        {"{\"recipe\":{\"visual_track\":{\"image\":\"http://h/a.png\"}}}", "url_not_fetched"},
        {"{\"recipe\":{\"visual_track\":{\"image\":\"file:///etc/passwd\"}}}", "url_not_fetched"},
        {"{\"recipe\":{\"visual_track\":{\"image\":\"data:text/html;base64,QUJD\"}}}", "bad_image"},
        {"{\"recipe\":{\"visual_track\":{\"image\":\"data:image/png;base64,QUJ\"}}}", "bad_image"},
        {"{\"recipe\":{\"visual_track\":{\"image\":\"data:image/png;base64,\"}}}", "bad_image"},
        {"{\"recipe\":{\"visual_track\":{\"image\":\"data:image/png;base64,Q===\"}}}", "bad_image"},
        {"{\"recipe\":{\"visual_track\":{\"image\":\"data:image/png;base64,QU\\u0000D\"}}}",
         "bad_json"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (wish_for(&wish, "application/json", bad[i].body, &err) != VX_ERR_INPUT)
            fail_msg("%s was taken", bad[i].body);
        if (strcmp(err.code, bad[i].code) != 0) fail_msg("%s: %s", bad[i].body, err.code);
        assert_null(wish.text);
    }
}

/* ---- keys ------------------------------------------------------------------------------------------ */

static vx_status read_keys(vx_keys *keys, const char *text, mode_t mode, vx_error *err)
{
    char path[] = "/tmp/vortex-keys-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    memset(err, 0, sizeof *err);
    vx_status status = vx_keys_read(keys, path, err);
    unlink(path);
    return status;
}

static void keys_and_tickets(void **state)
{
    (void)state;
    static vx_keys keys, other;
    vx_error err;
    char ticket[VX_TICKET];
    assert_int_equal(
        read_keys(&keys,
                  "# ours\nann:correct horse\r\n\n"
                  "bob:sha256:5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5\n",
                  0600, &err),
        VX_OK);
    assert_string_equal(vx_keys_name(&keys, "correct horse"), "ann");
    assert_string_equal(vx_keys_name(&keys, "12345"), "bob");
    assert_null(vx_keys_name(&keys, "correct hors"));
    assert_null(vx_keys_name(&keys, ""));
    assert_int_equal(read_keys(&keys, "ann:correct horse\n", 0640, &err), VX_ERR_USAGE);
    assert_int_equal(read_keys(&keys, "# none\n", 0600, &err), VX_ERR_USAGE);
    assert_int_equal(read_keys(&keys, "ann\n", 0600, &err), VX_ERR_USAGE);
    assert_int_equal(read_keys(&keys, "ann:short\n", 0600, &err), VX_ERR_USAGE);
    assert_int_equal(err.line, 1);
    assert_int_equal(read_keys(&keys, "a b:long enough\n", 0600, &err), VX_ERR_USAGE);
    assert_int_equal(read_keys(&keys, "bob:sha256:12\n", 0600, &err), VX_ERR_USAGE);
    /* A failure leaves the old ones. */
    assert_int_equal(keys.count, 2);
    assert_int_equal(vx_keys_secret(&keys, &err), VX_OK);
    assert_int_equal(vx_keys_secret(&other, &err), VX_OK);
    vx_ticket_make(&keys, "slot_1", 1000, ticket);
    assert_true(vx_ticket_holds(&keys, "slot_1", ticket, 999));
    assert_false(vx_ticket_holds(&keys, "slot_1", ticket, 1000));
    assert_false(vx_ticket_holds(&keys, "slot_2", ticket, 999));
    assert_false(vx_ticket_holds(&other, "slot_1", ticket, 999));
    ticket[3] = '9';
    assert_false(vx_ticket_holds(&keys, "slot_1", ticket, 999));
    assert_false(vx_ticket_holds(&keys, "slot_1", "", 0));
    assert_false(vx_ticket_holds(&keys, "slot_1", "1.", 0));
    assert_false(vx_ticket_holds(&keys, "slot_1", "99999999999999999999.x", 0));
}

/* ---- limits, events, counters ----------------------------------------------------------------------- */

static void a_bucket_of_tokens(void **state)
{
    (void)state;
    static vx_clients clients;
    double wait_s;
    char name[16];
    for (int i = 0; i < 3; i++)
        assert_true(vx_clients_take(&clients, "a", 3, 100, &wait_s));
    assert_false(vx_clients_take(&clients, "a", 3, 100, &wait_s));
    assert_true(wait_s > 19 && wait_s < 21);
    assert_true(vx_clients_take(&clients, "b", 3, 100, &wait_s));
    assert_true(vx_clients_take(&clients, "a", 3, 121, &wait_s));
    assert_false(vx_clients_take(&clients, "a", 3, 121, &wait_s));
    for (int i = 0; i < 2 * VX_CLIENTS_MAX; i++) {
        snprintf(name, sizeof name, "c%d", i);
        assert_true(vx_clients_take(&clients, name, 3, 200 + i, &wait_s));
    }
    assert_int_equal(clients.count, VX_CLIENTS_MAX);
}

static void events_resume(void **state)
{
    (void)state;
    static vx_events events;
    assert_null(vx_events_next(&events, 0, "", ""));
    for (int i = 0; i < VX_EVENTS + 10; i++)
        vx_events_add(&events, "stage", i % 2 ? "a" : "b", i % 4 < 2 ? "x" : "y",
                      json_pack("{s:i}", "i", i), false);
    assert_true(vx_events_hold(&events, 10));
    assert_false(vx_events_hold(&events, 9));
    assert_true(vx_events_hold(&events, events.count));
    assert_false(vx_events_hold(&events, events.count + 1));
    /* What is gone is skipped. */
    assert_int_equal(vx_events_next(&events, 0, "b", "")->number, 11);
    assert_int_equal(vx_events_next(&events, 11, "a", "")->number, 12);
    const vx_event *event = vx_events_next(&events, 100, "", "y");
    assert_int_equal(event->number, 103);
    assert_string_equal(event->text, "id: 103\nevent: stage\ndata: {\"i\":102}\n\n");
    assert_null(vx_events_next(&events, events.count, "a", ""));
    vx_events_add(&events, "queue", "", "", json_object(), false);
    assert_non_null(vx_events_next(&events, events.count - 1, "", "x"));
    assert_null(vx_events_next(&events, events.count - 1, "a", "x"));
    vx_events_close(&events);
}

static void histograms_add_up(void **state)
{
    (void)state;
    static vx_http_metrics metrics;
    char *text = NULL;
    size_t bytes;
    vx_observe_s(&metrics, "vortex_http_request_duration_seconds", "route", "/r", 0.2);
    vx_observe_s(&metrics, "vortex_http_request_duration_seconds", "route", "/r", 700);
    vx_count(&metrics, "vortex_http_refused_total", "kind=\"film\",outcome=\"done\"");
    vx_count(&metrics, "vortex_http_refused_total", "kind=\"film\",outcome=\"done\"");
    FILE *out = open_memstream(&text, &bytes);
    vx_http_metrics_write(&metrics, out);
    fclose(out);
    assert_non_null(
        strstr(text, "vortex_http_request_duration_seconds_bucket{route=\"/r\",le=\"0.1\"} 0\n"));
    assert_non_null(
        strstr(text, "vortex_http_request_duration_seconds_bucket{route=\"/r\",le=\"0.25\"} 1\n"));
    assert_non_null(
        strstr(text, "vortex_http_request_duration_seconds_bucket{route=\"/r\",le=\"600\"} 1\n"));
    assert_non_null(
        strstr(text, "vortex_http_request_duration_seconds_bucket{route=\"/r\",le=\"+Inf\"} 2\n"));
    assert_non_null(strstr(text, "vortex_http_request_duration_seconds_sum{route=\"/r\"} 700.2\n"));
    assert_non_null(strstr(text, "vortex_http_refused_total{kind=\"film\",outcome=\"done\"} 2\n"));
    free(text);
}

static void errors_have_codes(void **state)
{
    (void)state;
    vx_error err = {0};
    vx_fail(&err, VX_ERR_IO, "write_failed", "cannot write /secret/place: no space");
    json_t *json = vx_http_error_json(&err, NULL);
    char *text = json_dumps(json, 0);
    assert_null(strstr(text, "secret"));
    assert_int_equal(vx_http_error_of(&err).http, 500);
    free(text);
    json_decref(json);
    vx_fail_at(&err, VX_ERR_INPUT, "bad_recipe", "x.yaml", 3, "wrong");
    json = vx_http_error_json(&err, "recipe");
    const json_t *inner = json_object_get(json, "error");
    assert_int_equal(json_integer_value(json_object_get(inner, "line")), 3);
    assert_string_equal(json_string_value(json_object_get(inner, "param")), "recipe");
    assert_int_equal(vx_http_error_of(&err).http, 400);
    json_decref(json);
    vx_fail(&err, VX_ERR_DEADLINE, "busy", "full");
    assert_true(vx_http_error_of(&err).later);
    assert_int_equal(vx_http_error_of(&err).http, 429);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_are_decoded_once),
        cmocka_unit_test(odd_targets_are_refused),
        cmocka_unit_test(every_route_is_found_by_its_path),
        cmocka_unit_test(ranges),
        cmocka_unit_test(multipart_parts),
        cmocka_unit_test(bad_multipart_is_refused),
        cmocka_unit_test(wishes),
        cmocka_unit_test(keys_and_tickets),
        cmocka_unit_test(a_bucket_of_tokens),
        cmocka_unit_test(events_resume),
        cmocka_unit_test(histograms_add_up),
        cmocka_unit_test(errors_have_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
