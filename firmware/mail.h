/* mail.h - short messages from one thread to another, in order, without locks. One writer, one reader. */
#ifndef LOA_MAIL_H
#define LOA_MAIL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { MAIL_MAX = 64 };

struct letter {
    int what;
    void *about;
};

struct mail {
    _Atomic uint32_t put;
    _Atomic uint32_t taken;
    struct letter letters[MAIL_MAX];
};

static inline bool mail_put(struct mail *mail, struct letter letter)
{
    uint32_t put = atomic_load_explicit(&mail->put, memory_order_relaxed);
    if (put - atomic_load_explicit(&mail->taken, memory_order_acquire) == MAIL_MAX) {
        return false;
    }
    mail->letters[put % MAIL_MAX] = letter;
    atomic_store_explicit(&mail->put, put + 1, memory_order_release);
    return true;
}

static inline bool mail_take(struct mail *mail, struct letter *ret_letter)
{
    uint32_t taken = atomic_load_explicit(&mail->taken, memory_order_relaxed);
    if (taken == atomic_load_explicit(&mail->put, memory_order_acquire)) {
        return false;
    }
    *ret_letter = mail->letters[taken % MAIL_MAX];
    atomic_store_explicit(&mail->taken, taken + 1, memory_order_release);
    return true;
}

#endif
