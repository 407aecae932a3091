/* page.c - the few files of the page, by name: nothing else below the folder can be asked for. */
#include "controller/request.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *path, *file, *type;
} files[] = {
    {"/", "index.html", "text/html; charset=utf-8"},      {"/page.js", "page.js", "text/javascript; charset=utf-8"},
    {"/page.css", "page.css", "text/css; charset=utf-8"}, {"/vi.json", "vi.json", "application/json"},
    {"/en.json", "en.json", "application/json"},          {"/icon.svg", "icon.svg", "image/svg+xml"},
};

struct MHD_Response *page_file(const struct settings *settings, const char *path)
{
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (strcmp(files[i].path, path) != 0)
            continue;
        char full[500];
        struct stat st;
        snprintf(full, sizeof(full), "%s/%s", settings->web, files[i].file);
        int fd = open(full, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return NULL;
        if (fstat(fd, &st) < 0) {
            close(fd);
            return NULL;
        }
        struct MHD_Response *response = MHD_create_response_from_fd64((uint64_t)st.st_size, fd);
        MHD_add_response_header(response, "Content-Type", files[i].type);
        MHD_add_response_header(response, "Cache-Control", "no-cache");
        return response;
    }
    return NULL;
}
