// A long line between two network namespaces: `tc netem` is not in every kernel, so packets pass through here.
//
//   delay NETNS-A ADDRESS-A NETNS-B ADDRESS-B ONE-WAY-MS MBIT-PER-S
//
// Makes a point-to-point device `wan` in each namespace, prints `ready`, and forwards until it is killed. Each direction
// has its own queue: a packet leaves when its delay has passed and the line is free, and is lost when more than a
// quarter of a second waits already, as on a real line.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

enum { MTU = 1500, SLOTS = 4096 };

struct packet { uint64_t due; int length; char bytes[MTU]; };

struct way {
    int from, to;
    uint64_t delay, free_at;
    double ns_per_byte;
    struct packet *ring;
    unsigned head, tail;
    pthread_mutex_t lock;
    pthread_cond_t filled;
};

static void die(const char *what) { perror(what); exit(1); }

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int device(const char *netns, const char *address, const char *peer) {
    char path[256], command[512];
    snprintf(path, sizeof path, "/run/netns/%s", netns);
    int ns = open(path, O_RDONLY | O_CLOEXEC);
    if (ns < 0 || setns(ns, CLONE_NEWNET) < 0) die(path);
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
    strcpy(request.ifr_name, "wan");
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0) die("/dev/net/tun");
    snprintf(command, sizeof command, "ip addr add %s peer %s dev wan && ip link set wan mtu %d up && ip link set lo up",
             address, peer, MTU);
    if (system(command) != 0) { fprintf(stderr, "cannot set up the device in %s\n", netns); exit(1); }
    return fd;
}

static void *take(void *argument) {
    struct way *way = argument;
    for (;;) {
        char bytes[MTU];
        ssize_t length = read(way->from, bytes, sizeof bytes);
        if (length < 0 && errno == EINTR) continue;
        if (length <= 0) die("read");
        uint64_t at = now();
        pthread_mutex_lock(&way->lock);
        uint64_t begins = way->free_at > at ? way->free_at : at;
        if (begins - at < 250000000u && way->tail - way->head < SLOTS) {
            way->free_at = begins + (uint64_t)((double)length * way->ns_per_byte);
            struct packet *packet = &way->ring[way->tail % SLOTS];
            packet->due = way->free_at + way->delay;
            packet->length = (int)length;
            memcpy(packet->bytes, bytes, (size_t)length);
            way->tail++;
            pthread_cond_signal(&way->filled);
        }
        pthread_mutex_unlock(&way->lock);
    }
    return NULL;
}

static void *give(void *argument) {
    struct way *way = argument;
    for (;;) {
        pthread_mutex_lock(&way->lock);
        while (way->head == way->tail) pthread_cond_wait(&way->filled, &way->lock);
        struct packet *packet = &way->ring[way->head % SLOTS];
        pthread_mutex_unlock(&way->lock);
        struct timespec due = { (time_t)(packet->due / 1000000000u), (long)(packet->due % 1000000000u) };
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR) {}
        if (write(way->to, packet->bytes, (size_t)packet->length) < 0 && errno != EIO) die("write");
        pthread_mutex_lock(&way->lock);
        way->head++;
        pthread_mutex_unlock(&way->lock);
    }
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 7) { fprintf(stderr, "delay NETNS-A ADDRESS-A NETNS-B ADDRESS-B ONE-WAY-MS MBIT-PER-S\n"); return 2; }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int a = device(argv[1], argv[2], argv[4]);
    int b = device(argv[3], argv[4], argv[2]);
    struct way ways[2] = { { .from = a, .to = b }, { .from = b, .to = a } };
    for (int i = 0; i < 2; i++) {
        struct way *way = &ways[i];
        way->delay = (uint64_t)(atof(argv[5]) * 1e6);
        way->ns_per_byte = 8000.0 / atof(argv[6]);
        way->ring = calloc(SLOTS, sizeof *way->ring);
        pthread_mutex_init(&way->lock, NULL);
        pthread_cond_init(&way->filled, NULL);
        pthread_t thread;
        if (!way->ring || pthread_create(&thread, NULL, take, way) || pthread_create(&thread, NULL, give, way)) die("thread");
    }
    puts("ready");
    fflush(stdout);
    pause();
    return 0;
}
