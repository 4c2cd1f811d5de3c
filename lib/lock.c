/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One administrative call at a time. The lock is on a directory of its own that
 * only its owner can open, so no other user can hold it, and it is given back
 * explicitly, because a child of fork() shares the descriptor. It goes with the
 * last device.
 *
 * The BPF file system may be open to all users (mode 1777). What they put in
 * the way of our names is renamed and never entered.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "internal.h"

#define LOCK_DIR QS_PIN_DIR "_lock"
#define STEP_MS 10
#define TRIES 100 /* to find what another user keeps replacing */

/* ---- whose it is */

static int is_private(const struct stat *st)
{
	return S_ISDIR(st->st_mode) &&
	       (st->st_uid == 0 || st->st_uid == geteuid()) &&
	       !(st->st_mode & (S_IWGRP | S_IWOTH));
}

/* Without the sticky bit others could rename what is ours. */
static int check_root(const char *bpffs)
{
	struct stat st;

	if (stat(bpffs, &st))
		return qs_fail(errno, "%s: %s", bpffs, strerror(errno));
	if (!(st.st_mode & (S_IWGRP | S_IWOTH)) || (st.st_mode & S_ISVTX))
		return 0;
	return qs_fail(EPERM,
		       "other users can rename everything in %s: run "
		       "\"chmod 0700 %s\"",
		       bpffs, bpffs);
}

static int set_aside(const char *path)
{
	char aside[PATH_MAX];
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (snprintf(aside, sizeof(aside), "%s_aside_%lld_%09ld", path,
		     (long long)now.tv_sec, now.tv_nsec) >= (int)sizeof(aside))
		return qs_fail(ENAMETOOLONG, "%s is too long", path);
	if (!rename(path, aside) || errno == ENOENT)
		return -ENOENT;
	return qs_fail(EPERM,
		       "%s belongs to another user and cannot be renamed (%s): "
		       "remove it",
		       path, strerror(errno));
}

int qs_private_dir(const char *path)
{
	struct stat st;

	if (lstat(path, &st))
		return errno == ENOENT ?
			       -ENOENT :
			       qs_fail(errno, "%s: %s", path, strerror(errno));
	return is_private(&st) ? 0 : set_aside(path);
}

/* ---- the lock */

static int lock_path(const struct qs_system *sys, char path[PATH_MAX])
{
	if (snprintf(path, PATH_MAX, "%s/" LOCK_DIR, sys->bpffs) < PATH_MAX)
		return 0;
	return qs_fail(ENAMETOOLONG, "%s is too long", sys->bpffs);
}

/* -EAGAIN: it went, or was replaced, in between. */
static int open_lock(const char *path)
{
	int err = qs_private_dir(path), fd;
	struct stat st;

	if (err && err != -ENOENT)
		return err;
	if (err && mkdir(path, 0700) && errno != EEXIST)
		return qs_fail(errno == EACCES ? EPERM : errno, "mkdir %s: %s",
			       path, strerror(errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ?
			       -EAGAIN :
			       qs_fail(errno == EACCES ? EPERM : errno,
				       "open %s: %s", path, strerror(errno));
	if (!fstat(fd, &st) && is_private(&st))
		return fd;
	close(fd);
	return -EAGAIN;
}

static int wait_lock(int fd, int how, const char *path)
{
	struct timespec step = { .tv_nsec = STEP_MS * 1000000l };
	int left = QS_LOCK_SECONDS * 1000 / STEP_MS;

	while (flock(fd, how | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return qs_fail(errno, "lock %s: %s", path,
				       strerror(errno));
		if (!left--)
			return qs_fail(EBUSY,
				       "another process has held the lock on "
				       "%s for %d s: end it (\"fuser %s\" "
				       "names it), or try again",
				       path, QS_LOCK_SECONDS, path);
		nanosleep(&step, NULL);
	}
	return 0;
}

/* True if the name is still that directory's: the last one to leave removes it. */
static int is_current(int fd, const char *path)
{
	struct stat held, named;

	return !fstat(fd, &held) && !lstat(path, &named) &&
	       held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

static int take(struct qs_system *sys, int how, const char *path)
{
	int fd = open_lock(path), err;

	if (fd < 0)
		return fd;
	err = wait_lock(fd, how, path);
	if (!err && is_current(fd, path)) {
		sys->lock = fd;
		return 0;
	}
	close(fd);
	return err ? err : -EAGAIN;
}

int qs_system_lock(struct qs_system *sys, int how, int mount_it)
{
	char path[PATH_MAX];
	int err, k;

	err = qs_bpffs_path(sys->bpffs, mount_it);
	if (err == -ENOENT)
		return qs_fail(ENOENT, "the BPF file system is not mounted");
	if (!err)
		err = check_root(sys->bpffs);
	if (!err)
		err = lock_path(sys, path);
	if (err)
		return err;
	if (snprintf(sys->dir, sizeof(sys->dir), "%s/" QS_PIN_DIR,
		     sys->bpffs) >= (int)sizeof(sys->dir))
		return qs_fail(ENAMETOOLONG, "%s is too long", sys->bpffs);
	for (k = 0; k < TRIES; k++) {
		err = take(sys, how, path);
		if (err != -EAGAIN)
			return err;
	}
	return qs_fail(EBUSY,
		       "%s is replaced all the time: run \"chmod 0700 "
		       "%s\"",
		       path, sys->bpffs);
}

void qs_system_unlock(struct qs_system *sys)
{
	char path[PATH_MAX];
	struct stat st;

	if (sys->lock < 0)
		return;
	if (lstat(sys->dir, &st) && errno == ENOENT && !lock_path(sys, path))
		rmdir(path);
	flock(sys->lock, LOCK_UN);
	qs_close(&sys->lock);
	sys->lock = -1;
}
