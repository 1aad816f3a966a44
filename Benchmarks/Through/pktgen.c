/* Small load sources of scripts/bench and scripts/churn, for what iperf3 and wrk do not measure.
 *
 * usage: pktgen send --to ADDRESS --port N --seconds S [--rate N] [--flows N] [--run N]   64-byte UDP frames
 *        pktgen sink --port N [--run N]                   takes and checks them, until SIGTERM
 *        pktgen ping --to ADDRESS --port N --seconds S    64 bytes there and back over one connection
 *        pktgen echo --port N                             the other end
 *        pktgen flood --to ADDRESS --port N --seconds S [--rate N] [--kind udp|syn]   each packet a new flow
 *
 * `send` has no rate, or so many datagrams a second; each flow is a source port, numbers its datagrams, and `sink` counts
 * those whose content is wrong, that come twice, or before an earlier one of their flow. What another run sent, and still
 * lay in a queue, is counted apart. After SIGTERM `sink` goes on until nothing has come for 0.2 s. `flood` has the addresses
 * of 198.19.0.0/16 as its sources, in turn, then the next port of each; nobody has these, so nothing is answered. It ends
 * at SIGTERM. Answers are JSON.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
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
    const char *to, *kind;
    int port, flows, run;
    double rate, seconds;
} option = {.kind = "udp", .port = 9, .flows = 64, .seconds = 1};

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

/* How many packets of a batch are due; sleeps where none is. */
static unsigned due_of(int64_t since, long sent) {
    if (option.rate <= 0) return BATCH;
    double due = (double)since * option.rate / 1e9 - (double)sent;
    if (due < 1) {
        struct timespec nap = {.tv_nsec = 50000};
        nanosleep(&nap, NULL);
        return 0;
    }
    return due < BATCH ? (unsigned)due : BATCH;
}

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
        unsigned batch = due_of(time - began, sent);
        if (batch == 0) continue;
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

/* ---- new flows ------------------------------------------------------------------------------------------------- */

enum { FLOOD_ADDRESSES = 65000, FLOOD_PORTS = 60000, FLOOD_PAYLOAD = 18 };

struct __attribute__((packed)) flood_packet {
    struct iphdr ip;
    union {
        struct tcphdr tcp;
        struct { struct udphdr header; char payload[FLOOD_PAYLOAD]; } udp;
    };
};

static uint32_t sum(const void *bytes, size_t count, uint32_t start) {
    for (size_t at = 0; at + 1 < count; at += 2) {
        uint16_t word;
        memcpy(&word, (const char *)bytes + at, 2);
        start += word;
    }
    return start;
}

static uint16_t folded(uint32_t value) {
    while (value >> 16) value = (value & 0xffff) + (value >> 16);
    return (uint16_t)~value;
}

/* Packet `number` of a flood. The kernel fills in the header's length and checksum. */
static size_t make_flood_packet(struct flood_packet *packet, uint64_t number, uint32_t to, bool syn) {
    uint16_t port = htons((uint16_t)(1024 + number / FLOOD_ADDRESSES % FLOOD_PORTS));
    size_t length = syn ? sizeof packet->tcp : sizeof packet->udp;
    memset(packet, 0, sizeof *packet);
    packet->ip = (struct iphdr){.version = 4, .ihl = 5, .ttl = 64, .protocol = syn ? IPPROTO_TCP : IPPROTO_UDP,
                                .saddr = htonl(0xc6130001 + (uint32_t)(number % FLOOD_ADDRESSES)), .daddr = to};
    uint32_t start = sum(&packet->ip.saddr, 8, 0) + htons(packet->ip.protocol) + htons((uint16_t)length);
    if (syn) {
        packet->tcp = (struct tcphdr){.source = port, .dest = htons((uint16_t)option.port), .doff = 5, .syn = 1,
                                      .seq = htonl((uint32_t)number), .window = 0xffff};
        packet->tcp.check = folded(sum(&packet->tcp, length, start));
    } else {
        packet->udp.header = (struct udphdr){.source = port, .dest = htons((uint16_t)option.port),
                                             .len = htons((uint16_t)length)};
        uint16_t check = folded(sum(&packet->udp, length, start));
        packet->udp.header.check = check ? check : 0xffff;
    }
    return sizeof packet->ip + length;
}

static void flood(void) {
    static struct mmsghdr messages[BATCH];
    static struct iovec parts[BATCH];
    static struct flood_packet packets[BATCH];
    struct sockaddr_in to = address(option.to);
    bool syn = !strcmp(option.kind, "syn");
    int file = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    if (file < 0) fail("a raw socket");
    for (int at = 0; at < BATCH; at++) {
        parts[at].iov_base = &packets[at];
        messages[at].msg_hdr = (struct msghdr){.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &parts[at],
                                               .msg_iovlen = 1};
    }
    int64_t began = now(), stop = began + (int64_t)(option.seconds * 1e9), time;
    uint64_t number = 0;
    long sent = 0, refused = 0;
    while (!ended && (time = now()) < stop) {
        unsigned batch = due_of(time - began, sent + refused);
        if (batch == 0) continue;
        for (unsigned at = 0; at < batch; at++) {
            parts[at].iov_len = make_flood_packet(&packets[at], number + at, to.sin_addr.s_addr, syn);
        }
        int done = sendmmsg(file, messages, batch, 0);
        /* What is refused, for want of room in a queue, is not sent again. */
        if (done > 0) sent += done;
        else refused++;
        number += done > 0 ? (uint64_t)done : 1;
    }
    printf("{\"sent\": %ld, \"refused\": %ld, \"seconds\": %.6f}\n", sent, refused, (double)(now() - began) / 1e9);
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
        else if (!strcmp(name, "--kind") && (!strcmp(value, "udp") || !strcmp(value, "syn"))) option.kind = value;
        else if (!strcmp(name, "--rate")) option.rate = atof(value);
        else if (!strcmp(name, "--seconds")) option.seconds = atof(value);
        else { errno = EINVAL; fail(name); }
    }
    errno = EINVAL;
    if (option.flows < 1 || option.flows > MOST_FLOWS) fail("--flows");
    const char *verb = count > 1 ? arguments[1] : "";
    signal(SIGPIPE, SIG_IGN);
    if (!strcmp(verb, "sink") || !strcmp(verb, "echo") || !strcmp(verb, "flood")) end_on_signal();
    if (!strcmp(verb, "send") && option.to) send_datagrams();
    else if (!strcmp(verb, "sink")) sink_datagrams();
    else if (!strcmp(verb, "ping") && option.to) ping();
    else if (!strcmp(verb, "echo")) echo();
    else if (!strcmp(verb, "flood") && option.to) flood();
    else fail("send, sink, ping, echo or flood");
    return 0;
}
