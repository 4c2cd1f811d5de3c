# SPDX-License-Identifier: LGPL-2.1-or-later
# gnuplot -e "name='build/bench/table1'" calls.gp
# NAME.dat (a call, its ratio, its target) becomes NAME.svg and NAME.png.
set encoding utf8
set title "A call's time, of the plain call's in the same run"
set ylabel "ratio"
set yrange [0:*]
set datafile missing "?"
set style fill solid
set boxwidth 0.6
set xtics rotate by -25 nomirror noenhanced
set ytics nomirror
set border 3 lc rgb "#606060"
set grid ytics lc rgb "#e0e0e0" lt 1
set key top right Left reverse

do for [type in "svg png"] {
	if (type eq "svg") {
		set terminal svg size 800,480 font "sans-serif,13" background "#ffffff"
	} else {
		set terminal pngcairo size 1600,960 font "sans,13" fontscale 1.6 linewidth 2 pointscale 1.8
	}
	set output name.".".type
	plot name.".dat" using 0:2:xtic(1) with boxes lc rgb "#0060ad" title "measured", \
		"" using 0:3 with points pt 9 ps 1.4 lc rgb "#c8501e" title "target", \
		1 with lines lc rgb "#404040" dt 2 title "the plain call"
	unset output
}
