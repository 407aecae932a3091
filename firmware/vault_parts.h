/* vault_parts.h - inside of the vault, shared by vault.c (what is in it) and vault_open.c (its file). */
#ifndef LOA_VAULT_PARTS_H
#define LOA_VAULT_PARTS_H

#include "firmware/vault.h"

#include <sqlite3.h>

/* A file whose presence asks for a thorough check at the next start. */
#define VAULT_SUSPECT "vault.suspect"

struct vault {
    sqlite3 *db;
    char *dir;
    int dir_fd; /* of the folder, locked: one agent for each vault */
    char store[24];
    bool welcomed;
    int64_t up_last, up_reserved;
    int log_pages;      /* of the journal, with the last change */
    int depth;          /* of nested transactions */
    bool abandoned;     /* an inner one failed: the outermost must not commit */
    bool ill;           /* the last change failed; what is not needed is not tried until one holds */
    bool none_waits;    /* it was looked: no document waits to be judged again */
    bool copy;          /* a copy is read, the file itself cannot be written */
    bool damaged;       /* the store found its own file damaged */
    char trouble[200];  /* why the last transaction failed */
    char set_aside[80]; /* name of a damaged file that was set aside at the start; empty: none */
};

#endif
