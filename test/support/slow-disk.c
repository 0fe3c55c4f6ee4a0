// Preloaded by a Redis of the tests (slow-disk.ts): each flush of a file, and each write to one, takes SLOW_DISK_MS longer.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void wait_for_disk(void) {
  const char *ms = getenv("SLOW_DISK_MS");
  long long ns = ms ? atoll(ms) * 1000000 : 0;
  struct timespec left = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
  while (nanosleep(&left, &left) != 0) {
  }
}

int fsync(int fd) {
  wait_for_disk();
  return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

int fdatasync(int fd) {
  wait_for_disk();
  return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}

ssize_t write(int fd, const void *data, size_t length) {
  struct stat file;
  if (fstat(fd, &file) == 0 && S_ISREG(file.st_mode)) wait_for_disk();
  return ((ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write"))(fd, data, length);
}
