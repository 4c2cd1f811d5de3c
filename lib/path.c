/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the BPF file system and cgroup v2 are. "ip netns exec" hides what is
 * mounted below /sys from the command it runs, and what is mounted there goes
 * with that command; so the mounts of process 1 count as well, by way of
 * /proc/1/root, or those of the parent, and a BPF file system is mounted there if at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "internal.h"

#define BPFFS "/sys/fs/bpf"

/* Called by number: neither musl nor glibc before 2.36 has these. */
#define FS_CLOEXEC 1u /* of fsopen() and fsmount() */
#define FS_CREATE 6 /* of fsconfig() */

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

/* /proc/1/..., or the same of our parent where a container hides process 1. */
static void outside(char *path, const char *what)
{
	snprintf(path, PATH_MAX, "/proc/1/%s", what);
	if (!access("/proc/1/root/", X_OK))
		return;
	snprintf(path, PATH_MAX, "/proc/%d/%s", getppid(), what);
}

static int find_anywhere(const char *type, const char *best, char *path)
{
	char root[PATH_MAX], mounts[PATH_MAX];

	if (!find_mount("", "/proc/self/mounts", type, best, path))
		return 0;
	outside(root, "root");
	outside(mounts, "mounts");
	return find_mount(root, mounts, type, best, path);
}

/* In process 1's mount namespace: of a child, for a thread cannot enter one. */
static int mount_bpffs(void)
{
	char path[PATH_MAX];
	int status, ns;
	pid_t pid;

	outside(path, "ns/mnt");
	pid = fork();
	if (!pid) {
		ns = open(path, O_RDONLY | O_CLOEXEC);
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

/*
 * Process 1's mounts may be out of reach, as in a container whose first process
 * is another's: then the hierarchy, of which there is one, is mounted nowhere.
 */
static int mount_cgroup(void)
{
	QS_AUTO_FD int fs = (int)syscall(SYS_fsopen, "cgroup2", FS_CLOEXEC);

	if (fs < 0 || syscall(SYS_fsconfig, fs, FS_CREATE, NULL, NULL, 0))
		return -1;
	return (int)syscall(SYS_fsmount, fs, FS_CLOEXEC, 0);
}

static int open_root(void)
{
	char path[PATH_MAX];
	int fd = -1;

	if (!find_anywhere("cgroup2", "/sys/fs/cgroup", path))
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? mount_cgroup() : fd;
}

int qs_cgroup_open(const char *cgroup)
{
	QS_AUTO_FD int root = open_root();
	int fd;

	if (root < 0)
		return qs_fail(EOPNOTSUPP, "cgroup v2 is not mounted: mount -t "
					   "cgroup2 none /sys/fs/cgroup");
	while (*cgroup == '/')
		cgroup++;
	fd = openat(root, *cgroup ? cgroup : ".",
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return qs_fail(errno, "cgroup \"%s\": %s", cgroup,
			       strerror(errno));
	return fd;
}

#define FILEID_KERNFS 0xfe /* a handle that is an id */

static int link_of(int fd, char path[PATH_MAX])
{
	char link[32];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, PATH_MAX - 1);
	if (len < 0)
		return -errno;
	path[len] = 0;
	return 0;
}

int qs_cgroup_path(__u64 id, char path[PATH_MAX])
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + sizeof(id)];
	} h = { .handle = { .handle_bytes = sizeof(id),
			    .handle_type = FILEID_KERNFS } };
	QS_AUTO_FD int root = open_root(), fd = -1;
	char top[PATH_MAX];
	size_t len;

	if (root < 0)
		return -ENOENT;
	memcpy(h.handle.f_handle, &id, sizeof(id));
	fd = open_by_handle_at(root, &h.handle, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (link_of(root, top) || link_of(fd, path))
		return -ENOENT;
	len = strcmp(top, "/") ? strlen(top) : 0;
	if (strncmp(path, top, len))
		return -ENOENT;
	memmove(path, path + len, strlen(path + len) + 1);
	if (!*path)
		strcpy(path, "/");
	return 0;
}
