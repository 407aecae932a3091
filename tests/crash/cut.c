/* cut.c - loa-cut: runs a program, counts the calls that touch disk or socket, and kills it at the n-th.
 *
 * A seccomp filter stops the program at those calls only, all others run at full speed; one count over all its threads,
 * in the order in which they arrive. What a power cut at that moment would leave of a folder can be written beside it
 * (image.h). Nothing of the program is changed; a program that ends by itself ends loa-cut with its own exit code. */
#include "calls.h"
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_USE = 2, EXIT_NO_TRACE = 3, EXIT_CUT = 9, STOPS_MAX = 512, NUMBERS_MAX = 64 };
enum {
    OPTIONS = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
              PTRACE_O_TRACEVFORK | PTRACE_O_EXITKILL
};

struct options {
    long at; /* 0: only count */
    bool after;
    const char *mark; /* calls on a file whose name ends so are not counted; a write to it is a mark */
    long marks;       /* counting begins after so many of them */
    const char *disk, *image, *report, *trace;
    enum image_form form;
    uint64_t seed;
    char **argv;
};

/* What wait() told of a thread. */
struct stop {
    pid_t tid;
    int status;
};

struct cut {
    const struct options *options;
    pid_t pid;
    long n, marks;
    bool done; /* killed on purpose */
    char last[CALL_PATH_MAX + 64];
    struct image *image;
    struct stop put_off[STOPS_MAX]; /* what came while the end of another thread's call was waited for */
    size_t n_put_off;
    FILE *trace;
};

static volatile pid_t program_pid;
static volatile sig_atomic_t told_marks;

static void pass_on(int number)
{
    if (program_pid > 0)
        kill(program_pid, number);
}

static void on_mark(int number)
{
    (void)number;
    told_marks = told_marks + 1;
}

static int fail(const char *what)
{
    fprintf(stderr, "loa-cut: %s: %s\n", what, strerror(errno));
    return EXIT_NO_TRACE;
}

/* --- the program's side --- */

static int set_filter(void)
{
    struct sock_filter code[NUMBERS_MAX + 3];
    int numbers[NUMBERS_MAX];
    size_t n = calls_numbers(numbers, NUMBERS_MAX), at = 0;
    code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < n; i++)
        code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)numbers[i], (uint8_t)(n - i), 0);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
    struct sock_fprog program = {.len = (unsigned short)at, .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

static void become_program(int ready, char **argv)
{
    char byte;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (read(ready, &byte, 1) != 1) /* traced from here on */
        _exit(EXIT_NO_TRACE);
    close(ready);
    if (set_filter() < 0)
        _exit(fail("no seccomp filter can be set"));
    execvp(argv[0], argv);
    _exit(fail(argv[0]));
}

/* --- stops, in the order in which they came --- */

/* False: no thread is left. */
static bool wait_stop(struct stop *ret)
{
    do
        ret->tid = waitpid(-1, &ret->status, __WALL);
    while (ret->tid < 0 && errno == EINTR);
    return ret->tid >= 0;
}

static void put_off(struct cut *cut, const struct stop *stop)
{
    if (cut->n_put_off == STOPS_MAX) {
        fprintf(stderr, "loa-cut: more than %d stops at once\n", STOPS_MAX);
        exit(EXIT_NO_TRACE);
    }
    cut->put_off[cut->n_put_off++] = *stop;
}

static bool next_stop(struct cut *cut, struct stop *ret)
{
    if (cut->n_put_off == 0)
        return wait_stop(ret);
    *ret = cut->put_off[0];
    memmove(cut->put_off, cut->put_off + 1, --cut->n_put_off * sizeof(*ret));
    return true;
}

static bool returns(int status)
{
    return WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80);
}

/* --- one call --- */

/* To the end of this very call, before any other thread's call is looked at: of two syncs of one file the later counts,
 * and a file's number is not given to another one unseen. Its result. */
static int64_t see_through(struct cut *cut, pid_t tid)
{
    struct __ptrace_syscall_info info;
    struct stop stop;
    ptrace(PTRACE_SYSCALL, tid, NULL, NULL);
    while (wait_stop(&stop) && stop.tid != tid)
        put_off(cut, &stop);
    if (stop.tid == tid && returns(stop.status))
        return ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info) > 0 ? info.exit.rval : -1;
    if (stop.tid == tid) /* it was killed meanwhile */
        put_off(cut, &stop);
    return -1;
}

static void cut_now(struct cut *cut)
{
    cut->done = true;
    kill(cut->pid, SIGKILL);
}

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

/* True: this call is a counted one. */
static bool count(struct cut *cut, const struct call *call)
{
    const struct options *options = cut->options;
    if (!call->counted)
        return false;
    bool mark = options->mark && ends_with(call->path, options->mark);
    if (mark && call->kind == CALL_WRITE)
        cut->marks++;
    if (cut->trace)
        fprintf(cut->trace, "%ld %s %s %s\n", mark ? 0 : cut->n + 1, call->name, call->path, call->to);
    if (mark || cut->marks + told_marks < options->marks)
        return false;
    cut->n++;
    snprintf(cut->last, sizeof(cut->last), "%s %s", call->name, call->path);
    return true;
}

/* How the thread goes on: PTRACE_CONT, or PTRACE_SYSCALL to be cut where its call ends. */
static enum __ptrace_request on_call(struct cut *cut, pid_t tid)
{
    struct __ptrace_syscall_info info;
    struct call call;
    uint64_t args[6];
    if (cut->done || ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info) <= 0 ||
        info.op != PTRACE_SYSCALL_INFO_SECCOMP)
        return PTRACE_CONT;
    for (int i = 0; i < 6; i++)
        args[i] = info.seccomp.args[i];
    call_look(tid, (int)info.seccomp.nr, args, &call);
    bool last = count(cut, &call) && cut->n == cut->options->at;
    if (last && !cut->options->after) {
        cut_now(cut);
        return PTRACE_CONT;
    }
    struct image_note *note = cut->image ? image_enter(cut->image, tid, &call) : NULL;
    if (!note)
        return last ? PTRACE_SYSCALL : PTRACE_CONT;
    image_leave(cut->image, note, see_through(cut, tid));
    if (last)
        cut_now(cut);
    return PTRACE_CONT;
}

/* --- the loop --- */

static void on_stop(struct cut *cut, pid_t tid, int status)
{
    enum __ptrace_request how = PTRACE_CONT;
    int number = 0;
    if (status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8))
        how = on_call(cut, tid);
    else if (returns(status))
        cut_now(cut);
    else if (status >> 16 == 0)
        number = WSTOPSIG(status);
    ptrace(how, tid, NULL, (void *)(intptr_t)number);
}

/* The program's exit status as wait() gives it. */
static int follow(struct cut *cut)
{
    struct stop stop;
    while (next_stop(cut, &stop)) {
        if (WIFSTOPPED(stop.status))
            on_stop(cut, stop.tid, stop.status);
        else if (stop.tid == cut->pid)
            return stop.status;
    }
    return 0;
}

static int start(struct cut *cut)
{
    int ready[2];
    if (pipe2(ready, O_CLOEXEC) < 0)
        return fail("no pipe");
    cut->pid = fork();
    if (cut->pid < 0)
        return fail("no process");
    if (cut->pid == 0)
        become_program(ready[0], cut->options->argv);
    program_pid = cut->pid;
    close(ready[0]);
    if (ptrace(PTRACE_SEIZE, cut->pid, NULL, (void *)(intptr_t)OPTIONS) < 0) {
        int r = fail("programs cannot be traced on this machine (ptrace), so nothing can be cut here");
        kill(cut->pid, SIGKILL);
        return r;
    }
    if (write(ready[1], "x", 1) != 1)
        return fail("no pipe");
    close(ready[1]);
    return 0;
}

static void report(const struct cut *cut)
{
    FILE *out = cut->options->report ? fopen(cut->options->report, "w") : NULL;
    if (!out)
        return;
    fprintf(out, "%ld %s %s\n", cut->n, cut->done ? "cut" : "ended", cut->last);
    fclose(out);
}

static int run(const struct options *options)
{
    static struct cut cut;
    cut.options = options;
    if (options->trace)
        cut.trace = fopen(options->trace, "w");
    if (options->disk && !(cut.image = image_new(options->disk)))
        return fail(options->disk);
    int r = start(&cut);
    if (r != 0)
        return r;
    struct sigaction action = {.sa_handler = pass_on};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    action.sa_handler = on_mark;
    sigaction(SIGUSR1, &action, NULL);
    int status = follow(&cut);
    if (cut.image && options->image && !image_write(cut.image, options->image, options->form, options->seed))
        return fail(options->image);
    image_free(cut.image);
    if (cut.trace)
        fclose(cut.trace);
    report(&cut);
    if (cut.done)
        return EXIT_CUT;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* --- arguments --- */

static const char help[] =
    "loa-cut [OPTIONS] -- PROGRAM [ARGUMENTS]\n"
    "  --at N           kill the program at its N-th call that touches disk or socket (0: only count)\n"
    "  --after          when that call has returned; else before it is made\n"
    "  --mark NAME      calls on a file whose path ends so do not count; a write to it is a mark, as is SIGUSR1\n"
    "  --marks K        counting begins after K marks\n"
    "  --disk DIR --image NEW [--form strict|eager|torn] [--seed S]\n"
    "                   write what a power cut would leave of DIR into the new folder NEW\n"
    "  --report FILE    one line: calls counted, `cut` or `ended`, the last call\n"
    "  --trace FILE     one line for each call\n"
    "Exit code: 9 cut; 3 nothing can be traced here; 2 wrong use; else the program's own.\n";

static bool take_form(const char *text, enum image_form *ret)
{
    for (int i = 0; image_form_names[i]; i++) {
        if (strcmp(text, image_form_names[i]) == 0) {
            *ret = (enum image_form)i;
            return true;
        }
    }
    return false;
}

static bool take_option(int c, const char *value, struct options *ret)
{
    const char **texts[] = {
        ['m'] = &ret->mark, ['d'] = &ret->disk, ['i'] = &ret->image, ['r'] = &ret->report, ['t'] = &ret->trace};
    if (c == 'n')
        ret->at = atol(value);
    else if (c == 'a')
        ret->after = true;
    else if (c == 'k')
        ret->marks = atol(value);
    else if (c == 'f')
        return take_form(value, &ret->form);
    else if (c == 's')
        ret->seed = strtoull(value, NULL, 10);
    else if (c > 0 && c < 't' + 1 && texts[c])
        *texts[c] = value;
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"at", required_argument, NULL, 'n'},
                                          {"after", no_argument, NULL, 'a'},
                                          {"mark", required_argument, NULL, 'm'},
                                          {"marks", required_argument, NULL, 'k'},
                                          {"disk", required_argument, NULL, 'd'},
                                          {"image", required_argument, NULL, 'i'},
                                          {"form", required_argument, NULL, 'f'},
                                          {"seed", required_argument, NULL, 's'},
                                          {"report", required_argument, NULL, 'r'},
                                          {"trace", required_argument, NULL, 't'},
                                          {NULL, 0, NULL, 0}};
    struct options options = {0};
    for (int c; (c = getopt_long(argc, argv, "+", longs, NULL)) != -1;) {
        if (!take_option(c, optarg, &options)) {
            fputs(help, stderr);
            return EXIT_USE;
        }
    }
    options.argv = argv + optind;
    if (optind == argc) {
        fputs(help, stderr);
        return EXIT_USE;
    }
    return run(&options);
}
