# SPDX-License-Identifier: LGPL-2.1-or-later
# Meson describes the build; these are the commands in README.
BUILD = build
prefix ?= /usr/local
PREFIX ?= $(prefix)
# Below PREFIX. Debian's loader and pkg-config search lib without being told to.
LIBDIR ?= lib
DESTDIR ?=
MESON_OPTIONS =
BENCH =
TEST =

# What root leaves in the build folder of another's tree would be in that user's way.
# clean-root has whole systems, whose files are root's.
GIVE_BACK = test -O . || test "$$(id -u)" != 0 || find $(BUILD) -xdev -name clean-root -prune -o \
	-user 0 -exec chown -h --reference=. {} +

all: setup-build compile

setup-%:
	@scripts/setup $*

# Says nothing when there is nothing to do.
compile: | $(BUILD)/build.ninja
	@ninja -C $(BUILD) -n | grep -q 'no work to do' || ninja -C $(BUILD)
	@$(GIVE_BACK)

$(BUILD)/build.ninja:
	@meson setup '--prefix=$(PREFIX)' '--libdir=$(LIBDIR)' $(MESON_OPTIONS) $(BUILD)

# What setup-test has installed may have been missing when Meson looked.
enable-tests: | $(BUILD)/build.ninja
	@test -e $(BUILD)/tests/enabled || meson setup --reconfigure $(BUILD)

# The same for setup-bench.
enable-bench: | $(BUILD)/build.ninja
	@test -e $(BUILD)/bench/enabled || meson setup --reconfigure $(BUILD)

demo: setup-demo compile
	@scripts/demo

test: setup-test enable-tests compile
	@scripts/run-tests $(TEST)

bench: setup-bench enable-bench compile
	@scripts/bench $(BENCH)

# All in small: that they work, not how fast.
bench-quick: setup-bench enable-bench compile
	@scripts/bench --quick

check-style: setup-test enable-tests compile
	@scripts/check

install uninstall: all
	@meson configure '--prefix=$(PREFIX)' '-Dlibdir=$(LIBDIR)' $(BUILD)
	@BUILD='$(abspath $(BUILD))' PREFIX='$(PREFIX)' LIBDIR='$(LIBDIR)' \
		DESTDIR=$(if $(DESTDIR),"$$(realpath -ms -- '$(DESTDIR)')") scripts/install $@
	@$(GIVE_BACK)

clean:
	rm -rf $(BUILD)

.PHONY: all compile enable-tests enable-bench demo test bench bench-quick check-style \
	install uninstall clean
# One recipe after the other; ninja uses all CPUs.
.NOTPARALLEL:
