/* The load of scripts/compare-ipvs: a client and the real servers in one program, each in its own network namespace.
 *
 * usage: load udp  OPTIONS   datagrams of 60 bytes (64 with the frame check sequence), one way, in closed bursts
 *        load tcp  OPTIONS   connections of one request and one answer, `burst` of them at a time
 *        load bulk OPTIONS   one connection that carries `count` MiB
 *
 * The program counts time on CLOCK_MONOTONIC between the first and the last counted unit, and takes off what a child of
 * the class SCHED_IDLE has used: that child runs whenever nothing else could. What is left is the time in which the
 * machine worked. Under QEMU's instruction counter a nanosecond is an instruction, and the child keeps the processor
 * from halting, so that no virtual time is skipped. Everything has to be on one processor (--processor).
 *
 * A burst is sent only when the one before has arrived wholly, so no queue on the way can overflow and the amount of
 * work is the same in every run. What arrives is checked: its content, its order within a flow, at which address.
 * One line of JSON on standard output; status 0 only if all arrived as it was sent.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_BURST = 256, FRAME = 60, PORTS = 60000, FIRST_PORT = 1024, SHARES = 8 };
enum { REQUEST = 100, ANSWER = 1000, PIECE = 65536 };
static const int64_t PATIENCE_NS = 5000000000;  /* of quiet before what is missing counts as lost */
static const uint64_t MAGIC = 0x666169726c656164;

static struct {
    const char *client_namespace, *server_namespace, *interface, *source_mac, *target_mac, *from, *to;
    int port, flows, burst, processor;
    long count, warm;
} option = {.port = 80, .flows = 1, .burst = 64, .processor = 0, .count = 1000, .warm = 100};

static struct { struct in_addr address; long count; } shares[SHARES];
static long lost, wrong;

static void fail(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(2);
}

/* ---- time ------------------------------------------------------------------------------------------------------ */

static pid_t idler;
static clockid_t idler_clock;

struct moment { int64_t clock, idle; };

static int64_t nanoseconds(clockid_t clock) {
    struct timespec now;
    if (clock_gettime(clock, &now)) fail("clock_gettime");
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static struct moment moment(void) {
    return (struct moment){nanoseconds(CLOCK_MONOTONIC), nanoseconds(idler_clock)};
}

static void stay_on_processor(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(option.processor, &set);
    if (sched_setaffinity(0, sizeof set, &set)) fail("sched_setaffinity");
}

static void start_idler(void) {
    idler = fork();
    if (idler < 0) fail("fork");
    if (idler == 0) {
        struct sched_param none = {0};
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (sched_setscheduler(0, SCHED_IDLE, &none)) fail("sched_setscheduler");
        for (volatile unsigned spin = 0;; spin++) {}
    }
    if (clock_getcpuclockid(idler, &idler_clock)) fail("clock_getcpuclockid");
}

static void stop_idler(void) {
    kill(idler, SIGKILL);
    waitpid(idler, NULL, 0);
}

/* ---- namespaces and addresses ---------------------------------------------------------------------------------- */

/* Moves the calling thread. */
static void enter(const char *path) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || setns(file, CLONE_NEWNET)) fail(path);
    close(file);
}

static void parse_mac(const char *text, uint8_t mac[6]) {
    if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) != 6) {
        errno = EINVAL;
        fail(text);
    }
}

static struct in_addr parse_address(const char *text) {
    struct in_addr address;
    errno = EINVAL;
    if (inet_pton(AF_INET, text, &address) != 1) fail(text);
    return address;
}

static void share(struct in_addr address) {
    for (int at = 0; at < SHARES; at++) {
        if (shares[at].count == 0) shares[at].address = address;
        if (shares[at].address.s_addr == address.s_addr) {
            shares[at].count++;
            return;
        }
    }
    wrong++;
}

/* ---- datagrams ------------------------------------------------------------------------------------------------- */

struct __attribute__((packed)) content { uint32_t flow, number; uint64_t magic; uint16_t rest; };
struct __attribute__((packed)) frame {
    struct ether_header ether;
    struct iphdr ip;
    struct udphdr udp;
    struct content content;
};
_Static_assert(sizeof(struct frame) == FRAME, "a frame of the least length");

static uint32_t sum(const void *bytes, size_t length, uint32_t start) {
    const uint8_t *at = bytes;
    for (size_t i = 0; i + 1 < length; i += 2) start += (uint32_t)(at[i] << 8 | at[i + 1]);
    return start;
}

static uint16_t folded(uint32_t value) {
    while (value >> 16) value = (value & 0xffff) + (value >> 16);
    return htons((uint16_t)~value);
}

static struct frame template_frame(void) {
    struct frame made = {0};
    parse_mac(option.source_mac, made.ether.ether_shost);
    parse_mac(option.target_mac, made.ether.ether_dhost);
    made.ether.ether_type = htons(ETHERTYPE_IP);
    made.ip = (struct iphdr){.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP, .frag_off = htons(IP_DF)};
    made.ip.tot_len = htons(FRAME - sizeof made.ether);
    made.ip.daddr = parse_address(option.to).s_addr;
    made.udp.dest = htons((uint16_t)option.port);
    made.udp.len = htons(sizeof made.udp + sizeof made.content);
    made.content.magic = MAGIC;
    return made;
}

static void fill(struct frame *frame, uint32_t flow, uint32_t number) {
    frame->ip.saddr = htonl(ntohl(parse_address(option.from).s_addr) + flow / PORTS);
    frame->ip.check = 0;
    frame->ip.check = folded(sum(&frame->ip, sizeof frame->ip, 0));
    frame->udp.source = htons((uint16_t)(FIRST_PORT + flow % PORTS));
    frame->content.flow = flow;
    frame->content.number = number;
    frame->udp.check = 0;
    uint32_t pseudo = sum(&frame->ip.saddr, 8, IPPROTO_UDP + ntohs(frame->udp.len));
    frame->udp.check = folded(sum(&frame->udp, sizeof frame->udp + sizeof frame->content, pseudo));
}

static int open_sender(void) {
    enter(option.client_namespace);
    int made = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    struct sockaddr_ll where = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(option.interface)};
    if (made < 0 || bind(made, (struct sockaddr *)&where, sizeof where)) fail(option.interface);
    return made;
}

static int open_sink(void) {
    enter(option.server_namespace);
    int made = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1, room = 1 << 22;
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons((uint16_t)option.port)};
    setsockopt(made, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    if (setsockopt(made, IPPROTO_IP, IP_PKTINFO, &on, sizeof on)) fail("IP_PKTINFO");
    if (bind(made, (struct sockaddr *)&where, sizeof where)) fail("bind");
    return made;
}

static uint32_t *next_number;

static void check(struct mmsghdr *message, const struct content *content) {
    if (message->msg_len != sizeof *content || content->magic != MAGIC || content->flow >= (uint32_t)option.flows ||
        content->number != next_number[content->flow]) {
        wrong++;
        return;
    }
    next_number[content->flow]++;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message->msg_hdr); c; c = CMSG_NXTHDR(&message->msg_hdr, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            share(((struct in_pktinfo *)CMSG_DATA(c))->ipi_addr);
        }
    }
}

/* Takes `count` datagrams; the ones that have not come after the patience are lost. */
static void take(int sink, int count) {
    static struct mmsghdr messages[MOST_BURST];
    static struct iovec parts[MOST_BURST];
    static struct content contents[MOST_BURST];
    static char controls[MOST_BURST][64];
    while (count > 0) {
        struct pollfd ready = {.fd = sink, .events = POLLIN};
        if (poll(&ready, 1, (int)(PATIENCE_NS / 1000000)) == 0) {
            lost += count;
            return;
        }
        for (int at = 0; at < count; at++) {
            parts[at] = (struct iovec){&contents[at], sizeof contents[at]};
            messages[at].msg_hdr = (struct msghdr){
                .msg_iov = &parts[at], .msg_iovlen = 1,
                .msg_control = controls[at], .msg_controllen = sizeof controls[at]};
        }
        int got = recvmmsg(sink, messages, (unsigned)count, MSG_DONTWAIT, NULL);
        if (got < 0 && errno != EAGAIN) fail("recvmmsg");
        for (int at = 0; at < got; at++) check(&messages[at], &contents[at]);
        if (got > 0) count -= got;
    }
}

static void run_udp(struct moment *began, struct moment *ended) {
    static struct frame frames[MOST_BURST];
    static struct mmsghdr messages[MOST_BURST];
    static struct iovec parts[MOST_BURST];
    int sender = open_sender(), sink = open_sink();
    next_number = calloc((size_t)option.flows, sizeof *next_number);
    for (int at = 0; at < MOST_BURST; at++) {
        frames[at] = template_frame();
        parts[at] = (struct iovec){&frames[at], sizeof frames[at]};
        messages[at].msg_hdr = (struct msghdr){.msg_iov = &parts[at], .msg_iovlen = 1};
    }
    long sent = 0, all = option.warm + option.count;
    if (option.warm == 0) *began = moment();
    while (sent < all && lost == 0) {
        long stop = sent < option.warm ? option.warm : all;
        int burst = stop - sent < option.burst ? (int)(stop - sent) : option.burst;
        for (int at = 0; at < burst; at++, sent++) {
            fill(&frames[at], (uint32_t)(sent % option.flows), (uint32_t)(sent / option.flows));
        }
        if (sendmmsg(sender, messages, (unsigned)burst, 0) != burst) fail("sendmmsg");
        take(sink, burst);
        if (sent == option.warm) *began = moment();
    }
    *ended = moment();
}

/* ---- connections ----------------------------------------------------------------------------------------------- */

static atomic_bool listening, finished;

static int open_listener(void) {
    enter(option.server_namespace);
    int made = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons((uint16_t)option.port)};
    setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(made, (struct sockaddr *)&where, sizeof where) || listen(made, 1024)) fail("listen");
    return made;
}

static void watch(int set, int file, uint32_t events) {
    struct epoll_event event = {.events = events, .data.fd = file};
    if (epoll_ctl(set, EPOLL_CTL_ADD, file, &event)) fail("epoll_ctl");
}

static void accept_all(int set, int listener) {
    for (;;) {
        int made = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (made < 0) return;
        struct sockaddr_in local;
        socklen_t length = sizeof local;
        if (getsockname(made, (struct sockaddr *)&local, &length) == 0) share(local.sin_addr);
        watch(set, made, EPOLLIN);
    }
}

/* The servers: an answer for each whole request, then the end of the connection. */
static void *serve(void *unused) {
    static char answer[ANSWER], request[REQUEST];
    int listener = open_listener(), set = epoll_create1(EPOLL_CLOEXEC);
    memset(answer, 'a', sizeof answer);
    watch(set, listener, EPOLLIN);
    atomic_store(&listening, true);
    while (!atomic_load(&finished)) {
        struct epoll_event events[MOST_BURST];
        int ready = epoll_wait(set, events, MOST_BURST, 100);
        for (int at = 0; at < ready; at++) {
            int file = events[at].data.fd;
            if (file == listener) {
                accept_all(set, listener);
                continue;
            }
            if (read(file, request, sizeof request) != REQUEST || write(file, answer, sizeof answer) != ANSWER) wrong++;
            close(file);
        }
    }
    return unused;
}

static void start_connection(int set) {
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)option.port), .sin_addr = parse_address(option.to)};
    int made = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (made < 0) fail("socket");
    if (connect(made, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) fail("connect");
    watch(set, made, EPOLLOUT);
}

/* True when the connection is over. */
static bool advance(int set, const struct epoll_event *event) {
    static char request[REQUEST], answer[ANSWER];
    int file = event->data.fd;
    if (event->events & EPOLLOUT) {
        struct epoll_event next = {.events = EPOLLIN, .data.fd = file};
        memset(request, 'r', sizeof request);
        if (write(file, request, sizeof request) != REQUEST) {
            wrong++;
            close(file);
            return true;
        }
        epoll_ctl(set, EPOLL_CTL_MOD, file, &next);
        return false;
    }
    ssize_t got = read(file, answer, sizeof answer);
    if (got == ANSWER && answer[0] == 'a' && answer[ANSWER - 1] == 'a') return false;
    if (got != 0) wrong++;
    close(file);
    return true;
}

static void run_tcp(struct moment *began, struct moment *ended) {
    pthread_t server;
    if (pthread_create(&server, NULL, serve, NULL)) fail("pthread_create");
    while (!atomic_load(&listening)) sched_yield();
    enter(option.client_namespace);
    int set = epoll_create1(EPOLL_CLOEXEC);
    long started = 0, ended_count = 0, all = option.warm + option.count;
    for (; started < option.burst && started < all; started++) start_connection(set);
    while (ended_count < all) {
        struct epoll_event events[MOST_BURST];
        int ready = epoll_wait(set, events, MOST_BURST, (int)(PATIENCE_NS / 1000000));
        if (ready == 0) {
            lost = all - ended_count;
            break;
        }
        for (int at = 0; at < ready; at++) {
            if (!advance(set, &events[at])) continue;
            ended_count++;
            if (started < all) {
                start_connection(set);
                started++;
            }
            if (ended_count == option.warm) *began = moment();
        }
    }
    *ended = moment();
    atomic_store(&finished, true);
    pthread_join(server, NULL);
}

/* ---- bulk ------------------------------------------------------------------------------------------------------ */

static struct moment bulk_began, bulk_ended;

/* Reads a connection to its end and compares it with the pattern, which is a piece long and repeats. */
static void *swallow(void *pattern) {
    static char piece[PIECE];
    int listener = open_listener(), file = -1;
    long taken = 0, warm = option.warm << 20, all = (option.warm + option.count) << 20;
    atomic_store(&listening, true);
    while (file < 0) {
        struct pollfd ready = {.fd = listener, .events = POLLIN};
        if (poll(&ready, 1, (int)(PATIENCE_NS / 1000000)) == 0) return NULL;
        file = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    }
    struct timeval patience = {.tv_sec = PATIENCE_NS / 1000000000};
    setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    for (;;) {
        ssize_t got = read(file, piece, (size_t)(PIECE - taken % PIECE));
        if (got <= 0) break;
        if (memcmp(piece, (char *)pattern + taken % PIECE, (size_t)got)) wrong++;
        if (taken < warm && taken + got >= warm) bulk_began = moment();
        taken += got;
    }
    bulk_ended = moment();
    lost = (all - taken) >> 10;
    close(file);
    return NULL;
}

static long retransmitted;

static void run_bulk(struct moment *began, struct moment *ended) {
    static char pattern[PIECE];
    for (int at = 0; at < PIECE; at++) pattern[at] = (char)(at * 31 + (at >> 8));
    pthread_t server;
    if (pthread_create(&server, NULL, swallow, pattern)) fail("pthread_create");
    while (!atomic_load(&listening)) sched_yield();
    enter(option.client_namespace);
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)option.port), .sin_addr = parse_address(option.to)};
    int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = PATIENCE_NS / 1000000000};
    setsockopt(file, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(file, (struct sockaddr *)&to, sizeof to)) fail("connect");
    for (long left = (option.warm + option.count) << 20; left > 0;) {
        ssize_t sent = write(file, pattern, PIECE);
        if (sent != PIECE) fail("write");
        left -= sent;
    }
    struct tcp_info info;
    socklen_t length = sizeof info;
    if (getsockopt(file, IPPROTO_TCP, TCP_INFO, &info, &length) == 0) retransmitted = info.tcpi_total_retrans;
    shutdown(file, SHUT_WR);
    pthread_join(server, NULL);
    *began = bulk_began;
    *ended = bulk_ended;
}

/* ---- arguments ------------------------------------------------------------------------------------------------- */

static void parse(int count, char **arguments) {
    struct { const char *name; const char **text; int *number; long *big; } names[] = {
        {"--client-namespace", &option.client_namespace, 0, 0}, {"--server-namespace", &option.server_namespace, 0, 0},
        {"--interface", &option.interface, 0, 0}, {"--source-mac", &option.source_mac, 0, 0},
        {"--target-mac", &option.target_mac, 0, 0}, {"--from", &option.from, 0, 0}, {"--to", &option.to, 0, 0},
        {"--port", 0, &option.port, 0}, {"--flows", 0, &option.flows, 0}, {"--burst", 0, &option.burst, 0},
        {"--processor", 0, &option.processor, 0}, {"--count", 0, 0, &option.count}, {"--warm", 0, 0, &option.warm},
    };
    for (int at = 2; at + 1 < count; at += 2) {
        bool known = false;
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            if (strcmp(arguments[at], names[i].name)) continue;
            known = true;
            if (names[i].text) *names[i].text = arguments[at + 1];
            if (names[i].number) *names[i].number = atoi(arguments[at + 1]);
            if (names[i].big) *names[i].big = atol(arguments[at + 1]);
        }
        if (!known) {
            errno = EINVAL;
            fail(arguments[at]);
        }
    }
    errno = EINVAL;
    if (count % 2 || !option.client_namespace || !option.server_namespace || !option.to) fail("missing arguments");
    if (option.burst < 1 || option.burst > MOST_BURST || option.flows < 1) fail("--burst or --flows out of range");
}

int main(int count, char **arguments) {
    struct moment began = {0}, ended = {0};
    parse(count, arguments);
    signal(SIGPIPE, SIG_IGN);
    stay_on_processor();
    start_idler();
    if (!strcmp(arguments[1], "udp")) run_udp(&began, &ended);
    else if (!strcmp(arguments[1], "tcp")) run_tcp(&began, &ended);
    else if (!strcmp(arguments[1], "bulk")) run_bulk(&began, &ended);
    else fail("udp, tcp or bulk");
    stop_idler();
    printf("{\"elapsed_ns\": %lld, \"idle_ns\": %lld, \"count\": %ld, \"lost\": %ld, \"wrong\": %ld, "
           "\"retransmitted\": %ld, \"shares\": {",
           (long long)(ended.clock - began.clock), (long long)(ended.idle - began.idle), option.count, lost, wrong,
           retransmitted);
    for (int at = 0; at < SHARES && shares[at].count > 0; at++) {
        printf("%s\"%s\": %ld", at ? ", " : "", inet_ntoa(shares[at].address), shares[at].count);
    }
    printf("}}\n");
    return lost || wrong ? 1 : 0;
}
