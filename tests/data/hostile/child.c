// What a child that was taken over would try, one line of output for each thing that it reached. Arguments: a file of keys, a port
// on which somebody listens, the process that asked, and what it may (1: begin programs, 2: and processes). Ends with `done`.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void reached(const char* what) {
    char line[128];
    const int size = snprintf(line, sizeof line, "%s\n", what);
    if (write(1, line, (size_t)size) < 0) _exit(9);
}

static void try(const char* what, long outcome) {
    if (outcome >= 0) reached(what);
}

static int reads(const char* path) {
    char byte;
    const int file = open(path, O_RDONLY);
    return file < 0 ? -1 : read(file, &byte, 1) == 1 ? 0
                                                     : -1;
}

static int connects(int port) {
    const int one = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return one < 0 ? -1 : connect(one, (struct sockaddr*)&to, sizeof to);
}

static int forks(void) {
    int made = 0;
    for (int round = 0; round < 500; ++round) {
        const pid_t child = (pid_t)syscall(SYS_fork);
        if (child == 0) {
            sleep(30);
            _exit(0);
        }
        if (child > 0) ++made;
    }
    return made > 0 ? 0 : -1;
}

static void files(const char* keys, int parent) {
    char path[64];
    try("keys", reads(keys));
    try("passwd", reads("/etc/passwd"));
    try("a file of its own", open("/tmp/unibpf-was-here", O_CREAT | O_WRONLY, 0600));
    snprintf(path, sizeof path, "/proc/%d/mem", parent);
    try("parent's memory by /proc", open(path, O_RDWR));
    snprintf(path, sizeof path, "/proc/%d/environ", parent);
    try("parent's environment", reads(path));
    snprintf(path, sizeof path, "/proc/%d/fd/0", parent);
    try("parent's files", open(path, O_RDONLY));
    for (int number = 3; number < 1024; ++number)
        if (fcntl(number, F_GETFD) >= 0) reached("an open descriptor");
}

static void processes(int parent, int may_fork) {
    char word[8];
    struct iovec here = {word, sizeof word}, there = {(void*)environ, sizeof word};
    struct rlimit limits = {0, 0};
    try("ptrace", ptrace(PTRACE_SEIZE, parent, 0, 0));
    try("parent's memory", process_vm_readv(parent, &here, 1, &there, 1, 0));
    try("signal to the parent", kill(parent, 0));
    try("signal to everybody", kill(1, 0));
    try("parent's limits", prlimit((pid_t)parent, RLIMIT_CORE, &limits, NULL));
    try("a session of its own", setsid());
    try("a group of its own", setpgid(0, 0));
    try("a life after its parent", prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0));
    try("to be traced", prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
    try("higher limits", setrlimit(RLIMIT_FSIZE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}));
    if (!may_fork) try("processes", forks());
}

static void kernel(int port) {
    const struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0unibpf"};
    try("a connection", connects(port));
    try("a socket", bind(socket(AF_UNIX, SOCK_STREAM, 0), (const struct sockaddr*)&name, sizeof name));
    try("a namespace", unshare(CLONE_NEWUSER));
    try("BPF", syscall(SYS_bpf, BPF_PROG_LOAD, NULL, 0) >= 0 || errno != EPERM ? 0 : -1);
    try("io_uring", syscall(425, 1, NULL) >= 0 || errno != EPERM ? 0 : -1);
    try("keys of the kernel", syscall(SYS_keyctl, 0, -3, 0) >= 0 ? 0 : -1);
    try("another user", setresuid(1, 1, 1));
}

int main(int count, char** words) {
    if (count < 5) return 2;
    const int parent = atoi(words[3]), rights = atoi(words[4]);
    files(words[1], parent);
    processes(parent, rights >= 2);
    kernel(atoi(words[2]));
    if (rights == 0 && execl("/bin/sh", "sh", "-c", "echo shell", NULL) == 0) reached("shell");
    reached("done");
    return 0;
}
