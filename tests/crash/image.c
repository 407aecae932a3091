/* image.c - see image.h. */
#include "image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 4096 };

const char *const image_form_names[] = {"strict", "eager", "torn", NULL};

struct name {
    char text[256];
    size_t node;
};

struct names {
    struct name *all;
    size_t n;
};

/* Which file this is. The number of a file that others removed is soon given to another one; a file handle tells the
 * two apart, where the file system makes them. */
struct identity {
    dev_t dev;
    ino_t ino;
    int handle_type; /* 0: the file system makes none */
    unsigned handle_len;
    unsigned char handle[MAX_HANDLE_SZ];
};

/* One file or folder, also after its last name is gone: a name that is safe may still lead to it. */
struct node {
    struct identity identity;
    bool live; /* the identity is still its own */
    bool is_dir;
    mode_t mode;
    char *bytes; /* safe ones */
    size_t len;
    struct names names; /* safe ones */
};

struct image {
    char dir[CALL_PATH_MAX];
    struct node *nodes;
    size_t n_nodes;
};

struct image_note {
    enum call_kind kind;
    size_t node; /* CALL_SYNC: what is synced; else what may be gone afterwards */
    bool any;
    char *bytes;
    size_t len;
    struct names names;
};

static void *grown(void *old, size_t n, size_t size)
{
    void *more = reallocarray(old, n, size);
    if (!more)
        abort();
    return more;
}

static struct identity identity_of(int dir, const char *path, bool through, const struct stat *st)
{
    struct identity identity = {.dev = st->st_dev, .ino = st->st_ino};
    union {
        struct file_handle handle;
        char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
    } u = {.handle = {.handle_bytes = MAX_HANDLE_SZ}};
    int mount;
    if (name_to_handle_at(dir, path, &u.handle, &mount, through ? AT_SYMLINK_FOLLOW : 0) == 0) {
        identity.handle_type = u.handle.handle_type;
        identity.handle_len = u.handle.handle_bytes;
        memcpy(identity.handle, u.handle.f_handle, u.handle.handle_bytes);
    }
    return identity;
}

static bool same(const struct identity *a, const struct identity *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->handle_type == b->handle_type && a->handle_len == b->handle_len &&
           memcmp(a->handle, b->handle, a->handle_len) == 0;
}

/* The node of a file that is there. `through`: what a link leads to. False: it is not there. */
static bool find_node(struct image *image, int dir, const char *path, bool through, size_t *ret)
{
    struct stat st;
    if (fstatat(dir, path, &st, through ? 0 : AT_SYMLINK_NOFOLLOW) < 0 ||
        (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
        return false;
    struct identity identity = identity_of(dir, path, through, &st);
    for (size_t i = 0; i < image->n_nodes; i++) {
        if (image->nodes[i].live && same(&image->nodes[i].identity, &identity)) {
            *ret = i;
            return true;
        }
    }
    image->nodes = grown(image->nodes, image->n_nodes + 1, sizeof(*image->nodes));
    image->nodes[image->n_nodes] =
        (struct node){.identity = identity, .live = true, .is_dir = S_ISDIR(st.st_mode), .mode = st.st_mode & 07777};
    *ret = image->n_nodes++;
    return true;
}

static char *read_bytes(const char *path, size_t *ret_len)
{
    char *bytes = NULL;
    size_t len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    for (ssize_t got = 1; fd >= 0 && got > 0; len += got > 0 ? (size_t)got : 0) {
        bytes = grown(bytes, len + 65536, 1);
        got = read(fd, bytes + len, 65536);
    }
    if (fd >= 0)
        close(fd);
    *ret_len = len;
    return bytes;
}

/* Names are told apart by what they lead to now; sockets and pipes are not kept. */
static struct names read_names(struct image *image, const char *path)
{
    struct names names = {0};
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        size_t node;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            !find_node(image, dirfd(dir), entry->d_name, false, &node))
            continue;
        names.all = grown(names.all, names.n + 1, sizeof(*names.all));
        snprintf(names.all[names.n].text, sizeof(names.all[names.n].text), "%s", entry->d_name);
        names.all[names.n++].node = node;
    }
    if (dir)
        closedir(dir);
    return names;
}

static bool join(char ret[CALL_PATH_MAX], const char *dir, const char *name)
{
    return snprintf(ret, CALL_PATH_MAX, "%s/%s", dir, name) < CALL_PATH_MAX;
}

/* All that is there is safe. */
static void take_all(struct image *image, const char *path)
{
    size_t node;
    if (!find_node(image, AT_FDCWD, path, false, &node))
        return;
    if (!image->nodes[node].is_dir) {
        image->nodes[node].bytes = read_bytes(path, &image->nodes[node].len);
        return;
    }
    struct names names = read_names(image, path);
    image->nodes[node].names = names;
    for (size_t i = 0; i < names.n; i++) {
        char below[CALL_PATH_MAX];
        if (join(below, path, names.all[i].text))
            take_all(image, below);
    }
}

struct image *image_new(const char *dir)
{
    char real[PATH_MAX];
    if (!realpath(dir, real) || strlen(real) >= CALL_PATH_MAX)
        return NULL;
    struct image *image = grown(NULL, 1, sizeof(*image));
    *image = (struct image){0};
    memcpy(image->dir, real, strlen(real) + 1);
    take_all(image, image->dir);
    return image;
}

void image_free(struct image *image)
{
    if (!image)
        return;
    for (size_t i = 0; i < image->n_nodes; i++) {
        free(image->nodes[i].bytes);
        free(image->nodes[i].names.all);
    }
    free(image->nodes);
    free(image);
}

/* --- calls --- */

static bool below(const struct image *image, const char *path)
{
    size_t len = strlen(image->dir);
    return strncmp(path, image->dir, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* By descriptor, so that a file is found also when its name has changed. */
static void note_sync(struct image *image, pid_t tid, const struct call *call, struct image_note *note)
{
    char through[64];
    snprintf(through, sizeof(through), "/proc/%d/fd/%d", (int)tid, (int)call->args[0]);
    if (!below(image, call->path) || !find_node(image, AT_FDCWD, through, true, &note->node))
        return;
    note->any = true;
    if (image->nodes[note->node].is_dir)
        note->names = read_names(image, through);
    else
        note->bytes = read_bytes(through, &note->len);
}

/* What the name leads to now may lose its last name. */
static void note_gone(struct image *image, const char *path, struct image_note *note)
{
    struct stat st;
    note->any = lstat(path, &st) == 0 && (S_ISDIR(st.st_mode) || st.st_nlink == 1) &&
                find_node(image, AT_FDCWD, path, false, &note->node);
}

struct image_note *image_enter(struct image *image, pid_t tid, const struct call *call)
{
    if (call->kind != CALL_SYNC && call->kind != CALL_REMOVE && call->kind != CALL_RENAME)
        return NULL;
    struct image_note *note = grown(NULL, 1, sizeof(*note));
    *note = (struct image_note){.kind = call->kind};
    if (call->kind == CALL_SYNC)
        note_sync(image, tid, call, note);
    else
        note_gone(image, call->kind == CALL_RENAME ? call->to : call->path, note);
    return note;
}

void image_leave(struct image *image, struct image_note *note, int64_t result)
{
    if (!note)
        return;
    struct node *node = note->any ? &image->nodes[note->node] : NULL;
    if (node && result == 0 && note->kind == CALL_SYNC) {
        char *old_bytes = node->bytes;
        struct name *old_names = node->names.all;
        node->bytes = note->bytes;
        node->len = note->len;
        node->names = note->names;
        note->bytes = old_bytes;
        note->names.all = old_names;
    } else if (node && result == 0) {
        node->live = false;
    }
    free(note->bytes);
    free(note->names.all);
    free(note);
}

/* --- what is left --- */

struct writing {
    struct image *image;
    enum image_form form;
    uint64_t random;
};

static uint64_t chance(struct writing *w)
{
    w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return w->random >> 33;
}

/* Each block as it was safe or as it was written last; the length is one of the two. */
static char *tear(struct writing *w, const struct node *node, const char *live, size_t live_len, size_t *ret_len)
{
    size_t len = chance(w) % 2 ? node->len : live_len;
    char *bytes = calloc(1, len ? len : 1);
    if (!bytes)
        abort();
    for (size_t at = 0; at < len; at += BLOCK) {
        const char *from = chance(w) % 2 ? node->bytes : live;
        size_t from_len = from == live ? live_len : node->len;
        size_t end = at + BLOCK < len ? at + BLOCK : len;
        if (from && at < from_len)
            memcpy(bytes + at, from + at, (end < from_len ? end : from_len) - at);
    }
    *ret_len = len;
    return bytes;
}

static bool put_file(struct writing *w, size_t index, const char *live_path, const char *to)
{
    const struct node *node = &w->image->nodes[index];
    size_t len = node->len, live_len = 0;
    char *torn = NULL;
    if (w->form == IMAGE_TORN && live_path) {
        char *live = read_bytes(live_path, &live_len);
        torn = tear(w, node, live, live_len, &len);
        free(live);
    }
    int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, node->mode);
    const char *bytes = torn ? torn : node->bytes;
    size_t done = 0;
    for (ssize_t n = 0; fd >= 0 && done < len && n >= 0; done += n > 0 ? (size_t)n : 0)
        n = write(fd, bytes + done, len - done);
    free(torn);
    if (fd >= 0)
        close(fd);
    return fd >= 0 && done == len;
}

static bool put_dir(struct writing *w, size_t index, const char *live_path, const char *to);

/* A path of this very node, or NULL: its name leads elsewhere by now. */
static const char *same_live(struct image *image, size_t index, const char *path)
{
    size_t node;
    return path && find_node(image, AT_FDCWD, path, false, &node) && node == index ? path : NULL;
}

static bool put_names(struct writing *w, const struct names *names, const char *live_path, const char *to)
{
    bool fine = true;
    for (size_t i = 0; fine && i < names->n; i++) {
        char live[CALL_PATH_MAX], target[CALL_PATH_MAX];
        size_t node = names->all[i].node;
        bool has = live_path && join(live, live_path, names->all[i].text);
        const char *from = same_live(w->image, node, has ? live : NULL);
        fine = join(target, to, names->all[i].text) &&
               (w->image->nodes[node].is_dir ? put_dir(w, node, from, target) : put_file(w, node, from, target));
    }
    return fine;
}

static bool put_dir(struct writing *w, size_t index, const char *live_path, const char *to)
{
    if (mkdir(to, w->image->nodes[index].mode | 0700) < 0)
        return false;
    bool now = live_path && (w->form == IMAGE_EAGER || (w->form == IMAGE_TORN && chance(w) % 2));
    struct names names = now ? read_names(w->image, live_path) : w->image->nodes[index].names;
    bool fine = put_names(w, &names, live_path, to);
    if (now)
        free(names.all);
    return fine;
}

bool image_write(struct image *image, const char *to, enum image_form form, uint64_t seed)
{
    struct writing w = {.image = image, .form = form, .random = seed * 2 + 1};
    for (int i = 0; i < 8; i++)
        chance(&w);
    return image->n_nodes > 0 && put_dir(&w, 0, image->dir, to);
}
