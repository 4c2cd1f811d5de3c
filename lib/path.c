/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the BPF file system and cgroup v2 are. "ip netns exec" hides what is
 * mounted below /sys from the command it runs, and what is mounted there goes
 * with that command; so the mounts of process 1 count as well, by way of
 * /proc/1/root, and a BPF file system is mounted there if at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "internal.h"

#define BPFFS "/sys/fs/bpf"

static void end_mounts(FILE **f)
{
	if (*f)
		endmntent(*f);
}

/* The first file system of a type in a list of mounts; prefers `best`. */
static int find_mount(const char *root, const char *list, const char *type,
		      const char *best, char *path)
{
	QS_AUTO(end_mounts) FILE *f = setmntent(list, "re");
	char room[2 * PATH_MAX];
	struct mntent m;
	int found = 0;

	if (!f)
		return -errno;
	while (getmntent_r(f, &m, room, sizeof(room))) {
		if (strcmp(m.mnt_type, type))
			continue;
		if (found && strcmp(m.mnt_dir, best))
			continue;
		found = snprintf(path, PATH_MAX, "%s%s", root, m.mnt_dir) <
			PATH_MAX;
	}
	return found ? 0 : -ENOENT;
}

static int find_anywhere(const char *type, const char *best, char *path)
{
	if (!find_mount("", "/proc/self/mounts", type, best, path))
		return 0;
	return find_mount("/proc/1/root", "/proc/1/mounts", type, best, path);
}

/* In process 1's mount namespace: of a child, for a thread cannot enter one. */
static int mount_bpffs(void)
{
	int status, ns;
	pid_t pid;

	pid = fork();
	if (!pid) {
		ns = open("/proc/1/ns/mnt", O_RDONLY | O_CLOEXEC);
		if (ns >= 0 && setns(ns, CLONE_NEWNS))
			_exit(errno);
		_exit(mount("bpf", BPFFS, "bpf", 0, "mode=0700") ? errno : 0);
	}
	if (pid < 0)
		return -errno;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR) /* SIGCHLD is ignored: look again */
			return 0;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

int qs_bpffs_path(char *path, int mount_it)
{
	int err;

	err = find_anywhere("bpf", BPFFS, path);
	if (err != -ENOENT || !mount_it)
		return err;
	err = mount_bpffs();
	if (err)
		return qs_fail(-err,
			       "cannot mount the BPF file system at " BPFFS
			       ": %s",
			       strerror(-err));
	return find_anywhere("bpf", BPFFS, path);
}

int qs_cgroup_open(const char *cgroup)
{
	char root[PATH_MAX], path[2 * PATH_MAX];
	int fd;

	if (find_anywhere("cgroup2", "/sys/fs/cgroup", root))
		return qs_fail(EOPNOTSUPP, "cgroup v2 is not mounted: mount -t "
					   "cgroup2 none /sys/fs/cgroup");
	snprintf(path, sizeof(path), "%s/%s", root, cgroup);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return qs_fail(errno, "cgroup %s: %s", path, strerror(errno));
	return fd;
}
