/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The BPF objects, as bytes. The build names the files. */
	.section .rodata, "a", %progbits

.macro object name, file
	.balign 8
	.globl qs_object_\name
	.hidden qs_object_\name
qs_object_\name:
	.incbin "\file"
	.globl qs_object_\name\()_end
	.hidden qs_object_\name\()_end
qs_object_\name\()_end:
.endm

	object manager, QS_MANAGER
	object manager_bands, QS_MANAGER_BANDS
	object departed_bands, QS_DEPARTED_BANDS
	object classifier, QS_CLASSIFIER
	object dwcs, QS_DWCS
	object dwcs_bands, QS_DWCS_BANDS
	object vds, QS_VDS
	object vds_bands, QS_VDS_BANDS

	.section .note.GNU-stack, "", %progbits
