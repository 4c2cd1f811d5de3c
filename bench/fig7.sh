#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The paper's Figure 7: a sensor whose messages have deadlines, through a
# perturbation by FTP transfers, by a plain socket and by earliest deadline first,
# lossless and lossy. scripts/bench runs this.
#
# The sensor's bursts ask at times for more than the link has, so that not every
# message can be in time. How many can be, an offline scheduler says: that of
# tests/oracle, for what the sensor has sent and when.
set -euo pipefail

BENCH=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
cd "${BENCH%/*}"
# shellcheck source=scripts/runs.sh
. scripts/runs.sh
# shellcheck source=scripts/sensor.sh
. scripts/sensor.sh

SELF=bench/fig7.sh
OUTPUT=build/bench/fig7
sensor_experiment
WHERE=7.3
WHO=(unmanaged pfifo fq fq_codel cake htb etf lossless lossy)

usage()
{
	cat <<'USAGE'
usage: bench/fig7.sh
       bench/fig7.sh figure
       bench/fig7.sh run WHO[.SEED] [OUTPUT SECONDS START]

Makes the paper's Figure 7 and leaves it in build/bench/fig7.{json,svg,png}.
Needs root, and what "make" builds. It takes about an hour.

"figure" makes no run. "run" makes one, in this kernel, and leaves what was sent and
received in the folder OUTPUT; the transfers begin after START seconds. scripts/sensor.sh
says who there is.

In the environment: QS_SEEDS=N, how many seeds (10); QS_WHO="WHO...", who shall be
there (all); QS_KEEP=1, runs that are there are not made again; QS_QUICK=1, one short
lossy run alone.
USAGE
}

run()
{
	local name=$1 who=${1%.*}

	if [ "$who" != "$name" ]; then
		SENSOR_SEED=${name##*.}
		SENSOR_LAB=(--seed "$SENSOR_SEED")
	fi
	OUTPUT=${2:-$OUTPUT}
	LENGTH=${3:-$LENGTH}
	STARTS=${4:-$STARTS}
	sensor_run "$who" "$name"
}

# --- all runs --------------------------------------------------------------------

make_figure()
{
	local status=0

	rm -f "$OUTPUT".{json,dat,svg,png}
	python3 bench/plot/fig7.py "$OUTPUT" "$RATE" "$TRANSFERS" "$STARTS" "$LENGTH" "${WHO[@]}" ||
		status=$?
	[ -e "$OUTPUT.dat" ] || die 1 "the runs gave no figure: see $OUTPUT"
	draw "$OUTPUT" -e "transfers=$TRANSFERS; start=$STARTS; length=$LENGTH" \
		-e "columns=$(columns_of "$OUTPUT")" \
		bench/plot/fig7.gp
	echo "The figure: $OUTPUT.png and $OUTPUT.svg; the numbers: $OUTPUT.json"
	return "$status"
}

main()
{
	need_for_runs examples/sensor examples/sensor-client
	choose_runs ''
	echo "A sensor's messages with deadlines over a 10 Mbit/s link for $LENGTH s; $TRANSFERS FTP"
	echo "transfers join at $STARTS s."
	make_chosen "${QS_KEEP:-}"
	make_figure
}

case ${1:-} in
'') main ;;
figure) choose_runs '' && make_figure ;;
run) shift && run "$@" ;;
-h | --help) usage ;;
*) die 2 "unknown argument $1: see $SELF --help" ;;
esac
