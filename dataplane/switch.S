/* SPDX-License-Identifier: Apache-2.0 */
/*
 * void fiber_switch(void **save_sp, void *to_sp): saves the callee-saved registers of the calling
 * context on its stack and that stack's pointer in *save_sp, and goes on where to_sp was saved.
 *
 * fiber_boot: where a new fiber's first switch returns to; calls the function in the first
 * callee-saved register with the argument in the second, which must never return.
 *
 * The registers are those of the System V ABI for x86-64 and of AAPCS64. The floating-point
 * control words are the same in all contexts of a thread, and so not saved.
 */
	.text

#if defined(__x86_64__)

	.globl	fiber_switch
	.type	fiber_switch, @function
fiber_switch:
	endbr64
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret
	.size	fiber_switch, .-fiber_switch

	.globl	fiber_boot
	.type	fiber_boot, @function
fiber_boot:
	.cfi_startproc
	.cfi_undefined rip
	endbr64
	movq	%r14, %rdi
	xorl	%ebp, %ebp
	call	*%r15
	ud2
	.cfi_endproc
	.size	fiber_boot, .-fiber_boot

#elif defined(__aarch64__)

	.globl	fiber_switch
	.type	fiber_switch, %function
fiber_switch:
	sub	sp, sp, #160
	stp	x19, x20, [sp, #0]
	stp	x21, x22, [sp, #16]
	stp	x23, x24, [sp, #32]
	stp	x25, x26, [sp, #48]
	stp	x27, x28, [sp, #64]
	stp	x29, x30, [sp, #80]
	stp	d8, d9, [sp, #96]
	stp	d10, d11, [sp, #112]
	stp	d12, d13, [sp, #128]
	stp	d14, d15, [sp, #144]
	mov	x9, sp
	str	x9, [x0]
	mov	sp, x1
	ldp	x19, x20, [sp, #0]
	ldp	x21, x22, [sp, #16]
	ldp	x23, x24, [sp, #32]
	ldp	x25, x26, [sp, #48]
	ldp	x27, x28, [sp, #64]
	ldp	x29, x30, [sp, #80]
	ldp	d8, d9, [sp, #96]
	ldp	d10, d11, [sp, #112]
	ldp	d12, d13, [sp, #128]
	ldp	d14, d15, [sp, #144]
	add	sp, sp, #160
	ret
	.size	fiber_switch, .-fiber_switch

	.globl	fiber_boot
	.type	fiber_boot, %function
fiber_boot:
	.cfi_startproc
	.cfi_undefined x30
	mov	x0, x20
	mov	x29, xzr
	blr	x19
	brk	#1
	.cfi_endproc
	.size	fiber_boot, .-fiber_boot

#else
#error "fibers need a context switch for this architecture"
#endif

	.section .note.GNU-stack, "", %progbits
