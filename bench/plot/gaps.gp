# SPDX-License-Identifier: LGPL-2.1-or-later
# gnuplot -e "name='build/bench/fig5'; blocks=2; transfers='8 FTP'; starts='15 30'" gaps.gp
# NAME.dat, of blocks of times and gaps with a heading, becomes NAME.svg and NAME.png.
set encoding utf8
if (!exists("length")) length = 60
set title "Between one frame and the next of a 20 fps stream, through transfers on a 10 Mbit/s link"
set xlabel "time (s)"
set ylabel "gap between complete frames (ms)"
set xrange [0:length]
set yrange [20:20000]
set logscale y
set xtics 5 nomirror
set ytics nomirror
set border 3 lc rgb "#606060"
set grid ytics lc rgb "#e0e0e0" lt 1
set key at graph 0.02, 0.95 left top Left reverse samplen 2.5
do for [at in starts] {
	set arrow from at, graph 0 to at, graph 0.70 nohead dt 2 lw 1.2 lc rgb "#808080"
	set label transfers." transfers start" at at + 0.5, graph 0.72 tc rgb "#505050"
}
set style line 1 lc rgb "#c8501e" pt 7 ps 0.35
set style line 2 lc rgb "#0060ad" pt 7 ps 0.35
set style line 3 lc rgb "#7a9a01" pt 7 ps 0.35
set style line 4 lc rgb "#8040a0" pt 7 ps 0.35
set style line 5 lc rgb "#404040" pt 7 ps 0.35
set style line 6 lc rgb "#b08000" pt 7 ps 0.35

do for [type in "svg png"] {
	if (type eq "svg") {
		set terminal svg size 800,480 font "sans-serif,13" background "#ffffff"
	} else {
		set terminal pngcairo size 1600,960 font "sans,13" fontscale 1.6 linewidth 2 pointscale 1.8
	}
	set output name.".".type
	plot for [i = 0:blocks - 1] name.".dat" index i using 1:2 with points ls i + 1 title columnheader(1)
	unset output
}
