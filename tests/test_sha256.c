/* SHA-256 against FIPS 180-4's examples and its own behaviour under any cutting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The file itself, for its plain half: other processors run only that. */
#include "base/sha256.c"

static void published_vectors(void **state)
{
    (void)state;
    char hex[65];
    vx_sha256_bytes("", 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    vx_sha256_bytes("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    const char *two = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    vx_sha256_bytes(two, strlen(two), hex);
    assert_string_equal(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

/* A million letters 'a', in pieces of every size up to 200. */
static void any_cutting_gives_the_same(void **state)
{
    (void)state;
    char piece[200], hex[65];
    memset(piece, 'a', sizeof piece);
    for (size_t step = 1; step <= sizeof piece; step += 7) {
        vx_sha256 hash;
        vx_sha256_start(&hash);
        for (size_t left = 1000000; left > 0;) {
            size_t part = left < step ? left : step;
            vx_sha256_add(&hash, piece, part);
            left -= part;
        }
        vx_sha256_finish(&hash, hex);
        assert_string_equal(hex,
                            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    }
}

static void a_missing_file_is_said(void **state)
{
    (void)state;
    char hex[65];
    vx_error err = {0};
    assert_int_equal(vx_sha256_file("/nonexistent/file", hex, &err), VX_ERR_MISSING);
    assert_string_equal(err.file, "/nonexistent/file");
}

static void plain_rounds_equal_the_processors(void **state)
{
    (void)state;
    uint8_t data[64 * 9];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 167 + (i >> 3));
    vx_sha256 a, b;
    vx_sha256_start(&a);
    b = a;
    blocks_plain(a.state, data, 9);
    take_blocks(b.state, data, 9);
    assert_memory_equal(a.state, b.state, sizeof a.state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors),
        cmocka_unit_test(any_cutting_gives_the_same),
        cmocka_unit_test(plain_rounds_equal_the_processors),
        cmocka_unit_test(a_missing_file_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
