#include "server/notify.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { FIRST_FD = 3, FDS_MAX = 8 };

/* A variable that is a number, when the one beside it names this process. */
static int64_t number_for_us(const char *variable, const char *pid_variable, bool pid_required)
{
    const char *text = getenv(variable), *pid = getenv(pid_variable);
    if (text == NULL || (pid == NULL && pid_required)) return 0;
    if (pid != NULL && strtoll(pid, NULL, 10) != (long long)getpid()) return 0;
    int64_t value = strtoll(text, NULL, 10);
    return value > 0 ? value : 0;
}

int vx_notify_listen_fds(void)
{
    int count = (int)number_for_us("LISTEN_FDS", "LISTEN_PID", true);
    if (count > FDS_MAX) count = FDS_MAX;
    for (int i = 0; i < count; i++)
        fcntl(FIRST_FD + i, F_SETFD, FD_CLOEXEC);
    return count;
}

void vx_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (path == NULL || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof to.sun_path)
        return;
    memcpy(to.sun_path, path, strlen(path) + 1);
    if (path[0] == '@') to.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to, length);
    close(fd);
}

int64_t vx_notify_watchdog_us(void)
{
    return number_for_us("WATCHDOG_USEC", "WATCHDOG_PID", false);
}
