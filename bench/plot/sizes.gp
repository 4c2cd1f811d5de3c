# SPDX-License-Identifier: LGPL-2.1-or-later
# gnuplot -e "name='build/bench/core'; what='A title'; unit='ns per packet'; columns=3" sizes.gp
# NAME.dat, whose columns have headings, becomes NAME.svg and NAME.png.
set encoding utf8
set title what
set xlabel "streams that have something to send"
set ylabel unit
set logscale x
set xrange [0.8:125000]
if (exists("log")) {
	set logscale y
	set yrange [1:*]
} else {
	set yrange [0:*]
}
set datafile missing "?"
set xtics ("1" 1, "10" 10, "100" 100, "1,000" 1000, "10,000" 10000, "100,000" 100000) nomirror
set ytics nomirror
set border 3 lc rgb "#606060"
set grid ytics lc rgb "#e0e0e0" lt 1
set key top left Left reverse samplen 2.5 noenhanced
set style line 1 lc rgb "#0060ad" lw 2.5 pt 7 ps 1.0
set style line 2 lc rgb "#c8501e" lw 2.5 pt 5 ps 0.9
set style line 3 lc rgb "#7a9a01" lw 2.5 pt 9 ps 1.0
set style line 4 lc rgb "#8040a0" lw 2.5 pt 4 ps 1.2
set style line 5 lc rgb "#404040" lw 1.5 pt 6 ps 1.0
set style line 6 lc rgb "#b08000" lw 1.5 pt 12 ps 1.2

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
