# SPDX-License-Identifier: LGPL-2.1-or-later
# gnuplot -e "name='build/bench/sweep'" sweep.gp
# NAME.dat, a block for each kind of set, becomes NAME.svg and NAME.png: what streams of any
# sizes, periods and phases lose, and how late they are where nothing is dropped.
set encoding utf8
set datafile missing "?"
kind = 2 # the block "any"
set xlabel "load that streams offer (% of the link)"
set xtics nomirror
set ytics nomirror
set border 3 lc rgb "#606060"
set grid ytics lc rgb "#e0e0e0" lt 1
set key top left Left reverse samplen 2.5 noenhanced
set style line 1 lc rgb "#0060ad" lw 2.5 pt 7 ps 0.9
set style line 2 lc rgb "#c8501e" lw 2.5 pt 5 ps 0.8
set style line 3 lc rgb "#c8501e" lw 1.5 dt 2 pt 4 ps 0.8
set style line 4 lc rgb "#404040" lw 1.5 dt 3

do for [type in "svg png"] {
	if (type eq "svg") {
		set terminal svg size 1000,480 font "sans-serif,13" background "#ffffff"
	} else {
		set terminal pngcairo size 2000,960 font "sans,13" fontscale 1.6 linewidth 2 pointscale 1.8
	}
	set output name.".".type
	set multiplot layout 1,2
	set title "Units that are late or dropped, with windows"
	set ylabel "units (%)"
	set xrange [50:150]
	set yrange [0:*]
	plot name.".dat" index kind using 1:5 with linespoints ls 1 title "dwcs", \
	     "" index kind using 1:9 with linespoints ls 2 title "vds", \
	     "" index kind using 1:10 with lines ls 4 title "offline EDF"
	set title "p99.9 of lateness, nothing dropped (worst run)"
	set ylabel "of one largest unit's time + 1 ms"
	set xrange [50:100]
	plot name.".dat" index kind using 1:3 with linespoints ls 1 title "dwcs, with windows", \
	     "" index kind using 1:7 with linespoints ls 2 title "vds, with windows", \
	     "" index kind using 1:6 with linespoints ls 3 title "vds, no tolerance", \
	     1 with lines ls 4 title "allowed"
	unset multiplot
	unset output
}
