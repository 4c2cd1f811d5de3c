# SPDX-License-Identifier: LGPL-2.1-or-later
# gnuplot -e "name='build/bench/fig7'; transfers=8; start=30; columns=4" fig7.gp
# NAME.dat, whose columns have headings, becomes NAME.svg and NAME.png; the last column
# is the offline scheduler's.
set encoding utf8
if (!exists("length")) length = 60
set title "Messages with deadlines through FTP transfers on a 10 Mbit/s link"
set xlabel "time (s)"
set ylabel "late or lost messages (5 s intervals)"
set xrange [0:length]
set yrange [0:*]
set offsets 0, 0, graph 0.5, 0
set xtics 5 nomirror
set ytics nomirror
set border 3 lc rgb "#606060"
set grid ytics lc rgb "#e0e0e0" lt 1
set key at graph 0.02, 0.97 left top Left reverse samplen 2.5 noenhanced
set arrow from start, graph 0 to start, graph 0.93 nohead dt 2 lw 1.2 lc rgb "#808080"
set label sprintf("%d FTP transfers start", transfers) at start + 0.5, graph 0.95 tc rgb "#505050"
set style line 1 lc rgb "#0060ad" lw 2.5 pt 7 ps 1.0
set style line 2 lc rgb "#c8501e" lw 2.5 pt 5 ps 0.9
set style line 3 lc rgb "#7a9a01" lw 2.5 pt 9 ps 1.0
set style line 4 lc rgb "#8040a0" lw 1.5 pt 4 ps 1.2
set style line 5 lc rgb "#b08000" lw 1.5 pt 12 ps 1.2
set style line 6 lc rgb "#00a0a0" lw 1.5 pt 10 ps 1.0
set style line 7 lc rgb "#808080" lw 1.5 pt 6 ps 1.0
set style line 8 lc rgb "#404040" lw 1.5 dt 3

do for [type in "svg png"] {
	if (type eq "svg") {
		set terminal svg size 800,480 font "sans-serif,13" background "#ffffff"
	} else {
		set terminal pngcairo size 1600,960 font "sans,13" fontscale 1.6 linewidth 2 pointscale 1.8
	}
	set output name.".".type
	plot for [i = 2:columns] name.".dat" using 1:i with linespoints ls i - 1 title columnheader(i), \
	     "" using 1:columns + 1 with lines ls 8 title columnheader(columns + 1)
	unset output
}
