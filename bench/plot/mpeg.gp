# SPDX-License-Identifier: LGPL-2.1-or-later
# gnuplot -e "name='build/bench/mpeg'; transfers=8" mpeg.gp
# NAME-fig4.dat, NAME-heavy.dat and NAME-over.dat, whose columns have headings, become
# NAME.svg and NAME.png; any of them may be missing.
set encoding utf8
set ylabel "PSNR (dB, 5 s intervals)"
set xrange [0:60]
set yrange [0:*]
set offsets 0, 0, graph 0.08, 0
set xtics 5 nomirror
set ytics 10 nomirror
set border 3 lc rgb "#606060"
set grid ytics lc rgb "#e0e0e0" lt 1
set key Left reverse samplen 2.5 opaque noenhanced
# by who it is, whatever else there is
style(who) = who eq "no loss" ? 1 : who eq "QSockets" ? 2 : who eq "cake" ? 3 : \
	who eq "fq_codel" ? 4 : who eq "QSockets, pictures marked" ? 6 : 5
set style line 1 lc rgb "#404040" lw 1.5 dt 3 pt 0
set style line 2 lc rgb "#0060ad" lw 2.5 pt 7 ps 1.0
set style line 3 lc rgb "#7a9a01" lw 2.5 pt 9 ps 1.0
set style line 4 lc rgb "#8040a0" lw 2.5 pt 4 ps 1.4
set style line 5 lc rgb "#c8501e" lw 2.5 pt 5 ps 0.9
set style line 6 lc rgb "#00a0a0" lw 2.5 pt 13 ps 1.2

has(experiment) = int(system("test -e ".name."-".experiment.".dat && echo 1 || echo 0"))
headings(experiment) = system("head -n 1 ".name."-".experiment.".dat | grep -o '\"[^\"]*\"' | tail -n +2 | tr -d '\"' | tr ' ' '~'")
plain(word) = system("echo '".word."' | tr '~' ' '")

do for [type in "svg png"] {
	if (type eq "svg") {
		set terminal svg size 800,1230 font "sans-serif,13" background "#ffffff"
	} else {
		set terminal pngcairo size 1600,2460 font "sans,13" fontscale 1.6 linewidth 2 pointscale 1.8
	}
	set output name.".".type
	set multiplot layout 3,1
	do for [experiment in "fig4 heavy over"] {
		if (!has(experiment)) { continue }
		unset arrow
		unset label
		starts = experiment eq "fig4" ? "15 30" : "15"
		set title "MPEG-2 of ".(experiment eq "fig4" ? "0.8" : experiment eq "heavy" ? "6" : "10.2")." Mbit/s by ffmpeg, through transfers on a 10 Mbit/s link"
		# where no line is
		if (experiment eq "over") { set key at graph 0.6, 0.76 left top
		} else { set key at graph 0.02, 0.06 left bottom }
		if (experiment eq "over") { set xlabel "time (s)" } else { unset xlabel }
		do for [at in starts] {
			set arrow from at, graph 0 to at, graph 0.96 nohead dt 2 lw 1.2 lc rgb "#808080"
			set label sprintf("%d FTP transfers start", transfers) at at + 0.5, graph 0.98 tc rgb "#505050"
		}
		names = headings(experiment)
		plot for [i = 1:words(names)] name."-".experiment.".dat" using 1:(column(i + 1)) \
			with linespoints ls style(plain(word(names, i))) title plain(word(names, i))
	}
	unset multiplot
	unset output
}
