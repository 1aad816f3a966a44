/* Small load sources of scripts/bench, for what iperf3 and wrk do not measure.
 *
 * usage: pktgen send --to ADDRESS --port N --seconds S [--rate N] [--flows N] [--run N]   64-byte UDP frames
 *        pktgen sink --port N [--run N]                   takes and checks them, until SIGTERM
 *        pktgen ping --to ADDRESS --port N --seconds S    64 bytes there and back over one connection
 *        pktgen echo --port N                             the other end
 *
 * `send` has no rate, or so many datagrams a second; each flow is a source port, numbers its datagrams, and `sink` counts
 * those whose content is wrong, that come twice, or before an earlier one of their flow. What another run sent, and still
 * lay in a queue, is counted apart. After SIGTERM `sink` goes on until nothing has come for 0.2 s. Answers are JSON.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 32, MOST_FLOWS = 4096, PING = 64, MOST_PINGS = 10000000 };
static const uint64_t MAGIC = 0x666169726c656164;

static struct {
    const char *to;
    int port, flows, run;
    double rate, seconds;
} option = {.port = 9, .flows = 64, .seconds = 1};

struct __attribute__((packed)) content { uint32_t flow, number; uint64_t magic; uint16_t run; };

static void fail(const char *what) {
    fprintf(stderr, "pktgen: %s: %s\n", what, strerror(errno));
    exit(2);
}

static int64_t now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static struct sockaddr_in address(const char *text) {
    struct sockaddr_in made = {.sin_family = AF_INET, .sin_port = htons((uint16_t)option.port)};
    errno = EINVAL;
    if (text && inet_pton(AF_INET, text, &made.sin_addr) != 1) fail(text);
    return made;
}

/* ---- datagrams ------------------------------------------------------------------------------------------------- */

static void send_datagrams(void) {
    static struct mmsghdr messages[BATCH];
    static struct iovec parts[BATCH];
    static struct content contents[BATCH];
    static int sockets[MOST_FLOWS];
    static uint32_t numbers[MOST_FLOWS];
    struct sockaddr_in to = address(option.to);
    for (int flow = 0; flow < option.flows; flow++) {
        sockets[flow] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (sockets[flow] < 0 || connect(sockets[flow], (struct sockaddr *)&to, sizeof to)) fail("connect");
    }
    for (int at = 0; at < BATCH; at++) {
        parts[at] = (struct iovec){&contents[at], sizeof contents[at]};
        messages[at].msg_hdr = (struct msghdr){.msg_iov = &parts[at], .msg_iovlen = 1};
    }
    int64_t began = now(), stop = began + (int64_t)(option.seconds * 1e9), time = began;
    long sent = 0, refused = 0;
    for (int flow = 0; time < stop; flow = (flow + 1) % option.flows, time = now()) {
        unsigned batch = BATCH;
        if (option.rate > 0) {
            double due = (double)(time - began) * option.rate / 1e9 - (double)sent;
            if (due < 1) {
                struct timespec nap = {.tv_nsec = 50000};
                nanosleep(&nap, NULL);
                continue;
            }
            if (due < batch) batch = (unsigned)due;
        }
        for (unsigned at = 0; at < batch; at++) {
            contents[at] = (struct content){.flow = (uint32_t)flow, .number = numbers[flow] + at, .magic = MAGIC,
                                             .run = (uint16_t)option.run};
        }
        int done = sendmmsg(sockets[flow], messages, batch, 0);
        if (done < 0) {
            /* An error that came back by ICMP. */
            refused++;
            continue;
        }
        numbers[flow] += (uint32_t)done;
        sent += done;
    }
    printf("{\"sent\": %ld, \"refused\": %ld, \"seconds\": %.6f}\n", sent, refused, (double)(now() - began) / 1e9);
}

static volatile sig_atomic_t ended;
static void end(int number) { ended = number; }

static void end_on_signal(void) {
    struct sigaction action = {.sa_handler = end};
    sigaction(SIGTERM, &action, NULL);
}

static void sink_datagrams(void) {
    static struct mmsghdr messages[BATCH];
    static struct iovec parts[BATCH];
    static struct content contents[BATCH];
    static uint32_t next[MOST_FLOWS];
    int file = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), room = 1 << 23;
    struct sockaddr_in where = address(NULL);
    struct timeval patience = {.tv_usec = 100000};
    long received = 0, wrong = 0, late = 0;
    int64_t first = 0, last = 0;
    if (setsockopt(file, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room)) {
        setsockopt(file, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    }
    setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (bind(file, (struct sockaddr *)&where, sizeof where)) fail("bind");
    for (int at = 0; at < BATCH; at++) {
        parts[at] = (struct iovec){&contents[at], sizeof contents[at]};
        messages[at].msg_hdr = (struct msghdr){.msg_iov = &parts[at], .msg_iovlen = 1};
    }
    printf("pktgen: ready\n");
    fflush(stdout);
    for (int quiet = 0; !ended || quiet < 2;) {
        int got = recvmmsg(file, messages, BATCH, MSG_WAITFORONE, NULL);
        if (got <= 0) {
            quiet = ended ? quiet + 1 : 0;
            continue;
        }
        quiet = 0;
        last = now();
        if (first == 0) first = last;
        for (int at = 0; at < got; at++) {
            struct content *each = &contents[at];
            if (messages[at].msg_len == sizeof *each && each->magic == MAGIC && each->run != option.run) {
                late++;
                continue;
            }
            received++;
            bool good = messages[at].msg_len == sizeof *each && each->magic == MAGIC && each->flow < MOST_FLOWS &&
                        each->number >= next[each->flow];
            if (good) next[each->flow] = each->number + 1;
            else wrong++;
        }
    }
    printf("{\"received\": %ld, \"wrong\": %ld, \"late\": %ld, \"seconds\": %.6f}\n", received, wrong, late,
           (double)(last - first) / 1e9);
}

/* ---- round trips ----------------------------------------------------------------------------------------------- */

static void at_once(int file) {
    int on = 1;
    setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static bool take(int file, char *into) {
    for (ssize_t at = 0; at < PING;) {
        ssize_t got = read(file, into + at, (size_t)(PING - at));
        if (got <= 0) return false;
        at += got;
    }
    return true;
}

static void echo(void) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in where = address(NULL);
    char bytes[PING];
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&where, sizeof where) || listen(listener, 16)) fail("listen");
    printf("pktgen: ready\n");
    fflush(stdout);
    while (!ended) {
        int file = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (file < 0) continue;
        at_once(file);
        while (take(file, bytes) && write(file, bytes, PING) == PING) {}
        close(file);
    }
}

static int ascending(const void *one, const void *other) {
    uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;
    return a < b ? -1 : a > b;
}

static void ping(void) {
    uint32_t *times = malloc(sizeof *times * MOST_PINGS);
    int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = address(option.to);
    struct timeval patience = {.tv_sec = 5};
    char sent[PING], got[PING];
    long count = 0, wrong = 0;
    setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (!times || connect(file, (struct sockaddr *)&to, sizeof to)) fail("connect");
    at_once(file);
    int64_t stop = now() + (int64_t)(option.seconds * 1e9), before;
    while ((before = now()) < stop && count < MOST_PINGS) {
        memset(sent, (int)count, PING);
        if (write(file, sent, PING) != PING || !take(file, got)) fail("round trip");
        if (memcmp(sent, got, PING)) wrong++;
        times[count++] = (uint32_t)(now() - before);
    }
    if (count == 0) fail("no round trip");
    qsort(times, (size_t)count, sizeof *times, ascending);
    printf("{\"count\": %ld, \"wrong\": %ld, \"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f}\n", count, wrong,
           times[count / 2] / 1e3, times[count * 99 / 100] / 1e3, times[count * 999 / 1000] / 1e3);
}

int main(int count, char **arguments) {
    for (int at = 2; at + 1 < count; at += 2) {
        const char *name = arguments[at], *value = arguments[at + 1];
        if (!strcmp(name, "--to")) option.to = value;
        else if (!strcmp(name, "--port")) option.port = atoi(value);
        else if (!strcmp(name, "--flows")) option.flows = atoi(value);
        else if (!strcmp(name, "--run")) option.run = atoi(value) & 0xffff;
        else if (!strcmp(name, "--rate")) option.rate = atof(value);
        else if (!strcmp(name, "--seconds")) option.seconds = atof(value);
        else { errno = EINVAL; fail(name); }
    }
    errno = EINVAL;
    if (option.flows < 1 || option.flows > MOST_FLOWS) fail("--flows");
    const char *verb = count > 1 ? arguments[1] : "";
    signal(SIGPIPE, SIG_IGN);
    if (!strcmp(verb, "sink") || !strcmp(verb, "echo")) end_on_signal();
    if (!strcmp(verb, "send") && option.to) send_datagrams();
    else if (!strcmp(verb, "sink")) sink_datagrams();
    else if (!strcmp(verb, "ping") && option.to) ping();
    else if (!strcmp(verb, "echo")) echo();
    else fail("send, sink, ping or echo");
    return 0;
}
