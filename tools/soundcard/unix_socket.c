/* unix_socket.c - see unix_socket.h. */
#include "tools/soundcard/unix_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* True when the path is a socket without a listener: left by a process that was killed. */
static int is_stale(const struct sockaddr_un *address, int type)
{
    struct stat st;
    if (lstat(address->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode)) {
        return 0;
    }
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return 0;
    }
    int refused = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 && errno == ECONNREFUSED;
    (void)close(fd);
    return refused;
}

int unix_socket_connect(const char *path, int type, struct complaint *why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path)) {
        return complain(why, -ENAMETOOLONG, "socket path \"%s\" is longer than %zu bytes", path,
                        sizeof(address.sun_path) - 1);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0) {
        return fd;
    }
    int r = -errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    return complain(why, r, "nobody listens at %s: %s", path, strerror(-r));
}

int unix_socket_listen(const char *path, int type, struct complaint *why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof(address.sun_path)) {
        return complain(why, -ENAMETOOLONG, "socket path \"%s\" has %zu bytes; 1 to %zu would be right", path, len,
                        sizeof(address.sun_path) - 1);
    }
    memcpy(address.sun_path, path, len + 1);
    if (is_stale(&address, type)) {
        (void)unlink(path);
    }
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return complain(why, -errno, "cannot make a socket: %s", strerror(errno));
    }
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || chmod(path, 0660) < 0 ||
        listen(fd, 16) < 0) {
        int r = -errno;
        (void)close(fd);
        return complain(why, r, "cannot listen at %s: %s", path, strerror(-r));
    }
    return fd;
}
