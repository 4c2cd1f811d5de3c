# SPDX-License-Identifier: LGPL-2.1-or-later
# gnuplot -e "name='build/demo/fig4'; what='A stream'; columns=2; transfers='8 FTP'; starts='15 30'" streams.gp
# NAME.dat, whose columns have headings, becomes NAME.svg and NAME.png.
set encoding utf8
if (!exists("length")) length = 60
if (!exists("key")) key = 0.62
set title what." through transfers on a 10 Mbit/s link"
set xlabel "time (s)"
set ylabel "complete frames per second (5 s bins)"
set xrange [0:length]
set yrange [0:24]
set xtics 5 nomirror
set ytics 5 nomirror
set border 3 lc rgb "#606060"
set grid ytics lc rgb "#e0e0e0" lt 1
set key at graph 0.60, key left top Left reverse samplen 2.5 opaque noenhanced
do for [at in starts] {
	set arrow from at, 0 to at, 21.6 nohead dt 2 lw 1.2 lc rgb "#808080"
	set label transfers." transfers start" at at + 0.5, 21.8 tc rgb "#505050"
}
set style line 1 lc rgb "#0060ad" lw 2.5 pt 7 ps 1.0
set style line 2 lc rgb "#c8501e" lw 2.5 pt 5 ps 0.9
set style line 3 lc rgb "#7a9a01" lw 2.5 pt 8 ps 1.6
set style line 4 lc rgb "#8040a0" lw 2.5 pt 4 ps 2.0
set style line 5 lc rgb "#404040" lw 1.5 pt 6 ps 2.4
set style line 6 lc rgb "#b08000" lw 1.5 pt 12 ps 1.6
set style line 7 lc rgb "#00a0a0" lw 1.5 pt 10 ps 1.6

do for [type in "svg png"] {
	if (type eq "svg") {
		set terminal svg size 800,480 font "sans-serif,13" background "#ffffff"
	} else {
		set terminal pngcairo size 1600,960 font "sans,13" fontscale 1.6 linewidth 2 pointscale 1.8
	}
	set output name.".".type
	plot for [i = 2:columns + 1] name.".dat" using 1:i with linespoints ls i - 1 title columnheader(i)
	unset output
}
