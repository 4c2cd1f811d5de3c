/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kernel has of BPF, for tests in shell:
 *
 *	bpf-objects count	programs, maps and links of the host
 *	bpf-objects load FILE	do its programs load? They do not stay.
 *	bpf-objects age FOLDER	has another version pinned there
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <qsockets/abi.h>

static unsigned int count(int (*next)(__u32, __u32 *))
{
	unsigned int n = 0;
	__u32 id = 0;

	while (!next(id, &id))
		n++;
	return n;
}

static int print_counts(void)
{
	printf("programs %u maps %u links %u\n", count(bpf_prog_get_next_id),
	       count(bpf_map_get_next_id), count(bpf_link_get_next_id));
	return 0;
}

static int load(const char *file)
{
	struct bpf_object *obj = bpf_object__open_file(file, NULL);
	int err;

	if (!obj) {
		perror(file);
		return 1;
	}
	err = bpf_object__load(obj);
	if (err)
		printf("%s: %s\n", file, strerror(-err));
	bpf_object__close(obj);
	return !!err;
}

static int age(const char *folder)
{
	struct qs_meta meta;
	char path[256];
	__u32 zero = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/qs_meta", folder);
	fd = bpf_obj_get(path);
	if (fd < 0 || bpf_map_lookup_elem(fd, &zero, &meta)) {
		perror(path);
		return 1;
	}
	meta.version++;
	return !!bpf_map_update_elem(fd, &zero, &meta, BPF_ANY);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "count"))
		return print_counts();
	if (argc == 3 && !strcmp(argv[1], "load"))
		return load(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "age"))
		return age(argv[2]);
	return 2;
}
