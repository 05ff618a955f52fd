// Interrupt and exception entries. The CPU pushes SS, RSP, RFLAGS, CS, RIP (and an error code for some exceptions).

    .text
// Exceptions 0..31: on IST 2. Makes every frame alike: registers, vector, error code, CPU frame; pvh_exception never returns:
// it ends the guest, or an isolated run of a program by switching stacks.
    .globl exception_entries
    .align 16
exception_entries:
    .set vector, 0
    .rept 32
    .align 16
    .if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
    .else
    pushq $0
    .endif
    pushq $vector
    jmp exception_common
    .set vector, vector + 1
    .endr

exception_common:
    pushq %rax
    pushq %rbx
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %rbp
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, %rdi
    andq $-16, %rsp
    cld
    callq pvh_exception
    ud2

// The slice timer: on IST 1, because the interrupted code (libsodium, BearSSL) uses the red zone below its stack pointer. The
// CPU's frame moves to the interrupted stack, below the red zone, and the IST is free again: so the handler may switch stacks
// and return much later. Everything the interrupted code may hold is saved, x87 and SSE included (AVX is off: no OSXSAVE).
    .globl slice_entry
    .align 16
slice_entry:
    pushq %rax
    pushq %rcx
    movq 40(%rsp), %rax             // interrupted RSP
    subq $128 + 64, %rax            // red zone, then: rax rcx RIP CS RFLAGS RSP SS
    andq $-16, %rax
    movq 0(%rsp), %rcx              // saved rcx
    movq %rcx, 8(%rax)
    movq 8(%rsp), %rcx              // saved rax
    movq %rcx, 0(%rax)
    movq 16(%rsp), %rcx
    movq %rcx, 16(%rax)
    movq 24(%rsp), %rcx
    movq %rcx, 24(%rax)
    movq 32(%rsp), %rcx
    movq %rcx, 32(%rax)
    movq 40(%rsp), %rcx
    movq %rcx, 40(%rax)
    movq 48(%rsp), %rcx
    movq %rcx, 48(%rax)
    movq %rax, %rsp
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %rbp                      // 8 pushes keep 16-byte alignment
    movq %rsp, %rbp
    subq $512, %rsp
    fxsaveq (%rsp)
    cld
    callq pvh_slice_timer           // callee-saved registers stay as they are across it
    fxrstorq (%rsp)
    movq %rbp, %rsp
    popq %rbp
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rax
    popq %rcx
    iretq

// Wakes `hlt`; nothing else to do. Comes on the main stack only, which has no red zone (-mno-red-zone).
    .globl wake_entry
    .align 16
wake_entry:
    pushq %rax
    movl $0xfee000b0, %eax          // local APIC: end of interrupt
    movl $0, (%rax)
    popq %rax
    iretq

// The local APIC's spurious vector wants no end of interrupt.
    .globl spurious_entry
    .align 16
spurious_entry:
    iretq

    .section .note.GNU-stack, "", @progbits
