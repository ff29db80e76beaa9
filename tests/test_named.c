/* What a document may name, and what it is told of what it may not. */
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/named.h"
#include "config/recipe.h"

static char root[64];

static const char *at(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", root, name);
    return path;
}

/* root/secret beside root/in, which holds a file, a folder, links, a pipe and a socket. */
static int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/vx-named-XXXXXX");
    if (mkdtemp(root) == NULL) return 1;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", at("in/socket"));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool made = vx_folder_make(at("in/sub"), NULL) == VX_OK &&
                vx_file_write(at("secret"), "secret", 6, NULL) == VX_OK &&
                vx_file_write(at("in/a"), "aa", 2, NULL) == VX_OK &&
                vx_file_write(at("in/sub/b"), "bbb", 3, NULL) == VX_OK &&
                symlink("../secret", at("in/out")) == 0 && symlink("..", at("in/up")) == 0 &&
                mkfifo(at("in/pipe"), 0600) == 0 &&
                bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return !made;
}

static int remove_root(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", root);
    return system(command);
}

static vx_status read_it(const char *name, const char *folder, bool confined, vx_error *err)
{
    char *data;
    size_t bytes;
    *err = (vx_error){0};
    vx_named file = {.name = name, .folder = folder, .confined = confined};
    vx_status status = vx_named_read(&file, 100, &data, &bytes, err);
    assert_true((status == VX_OK) == (data != NULL));
    vx_heap_free(data);
    return status;
}

static void a_recipe_names_regular_files(void **state)
{
    (void)state;
    vx_error err;
    char folder[80];
    snprintf(folder, sizeof folder, "%s/in", root);
    assert_int_equal(read_it("a", folder, false, &err), VX_OK);
    assert_int_equal(read_it("../secret", folder, false, &err), VX_OK);
    assert_int_equal(read_it(at("secret"), folder, false, &err), VX_OK);
    assert_int_equal(read_it("none", folder, false, &err), VX_ERR_MISSING);
    static const char *const refused[] = {"-",         "pipe",      "sub",
                                          "/dev/zero", "/dev/null", "/proc/self/status"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        assert_int_equal(read_it(refused[i], folder, false, &err), VX_ERR_INPUT);
        assert_non_null(strstr(err.message, "document"));
    }
    assert_int_not_equal(read_it("socket", folder, false, &err), VX_OK);
}

/* The same sentence for what is there and for what is not. */
static void check_confined(const char *folder)
{
    vx_error err;
    static const char *const refused[] = {
        "../secret", "out", "up/secret", "sub/../../secret",  "/etc/passwd", "none", "sub", "pipe",
        "socket",    "..",  "-",         "/proc/self/status", "a/b",         ""};
    assert_int_equal(read_it("a", folder, true, &err), VX_OK);
    assert_int_equal(read_it("sub/b", folder, true, &err), VX_OK);
    assert_int_equal(read_it("./sub//b", folder, true, &err), VX_OK);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char want[300];
        assert_int_equal(read_it(refused[i], folder, true, &err), VX_ERR_INPUT);
        snprintf(want, sizeof want,
                 "'%s' cannot be used; name a regular file beneath the recipe's folder",
                 refused[i]);
        assert_string_equal(err.message, want);
        assert_string_equal(err.file, "");
    }
    assert_int_equal(read_it("a", NULL, true, &err), VX_ERR_INPUT);
    assert_non_null(strstr(err.message, "without a folder"));
    assert_int_equal(read_it("a", "/nonexistent", true, &err), VX_ERR_INPUT);
}

static void a_submission_stays_in_its_folder(void **state)
{
    (void)state;
    char folder[80];
    snprintf(folder, sizeof folder, "%s/in", root);
    check_confined(folder);
}

/* The kernel does not know openat2, as before 5.6, or a sandbox says so. */
static void without_openat2_too(void **state)
{
    (void)state;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 38 /* ENOSYS */),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {.len = sizeof code / sizeof *code, .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
        print_message("skipped: this system allows no seccomp filter\n");
        skip();
    }
    assert_int_equal(syscall(SYS_openat2, AT_FDCWD, ".", NULL, 0), -1);
    char folder[80];
    snprintf(folder, sizeof folder, "%s/in", root);
    check_confined(folder);
}

static void recipes_say_which_line(void **state)
{
    (void)state;
    vx_recipe recipe;
    vx_error err;
    char path[256];
    static const char text[] = "audio_track: {script: Hi.}\nvisual_track:\n  image: ../secret\n";
    assert_int_equal(vx_recipe_parse(&recipe, "recipe", at("in"), text, strlen(text), &err), VX_OK);
    assert_int_equal(vx_recipe_check_files(&recipe, &err), VX_ERR_INPUT);
    assert_string_equal(err.code, "bad_recipe");
    assert_int_equal(err.line, 3);
    assert_null(strstr(err.message, root));
    vx_recipe_close(&recipe);
    /* Read from a file that the command line named, it may. */
    snprintf(path, sizeof path, "%s", at("in/r.yaml"));
    assert_int_equal(vx_file_write(path, text, strlen(text), NULL), VX_OK);
    assert_int_equal(vx_recipe_read(&recipe, path, &err), VX_OK);
    assert_int_equal(vx_recipe_check_files(&recipe, &err), VX_OK);
    vx_recipe_close(&recipe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recipe_names_regular_files),
        cmocka_unit_test(a_submission_stays_in_its_folder),
        cmocka_unit_test(recipes_say_which_line),
        cmocka_unit_test(without_openat2_too), /* the filter stays */
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
