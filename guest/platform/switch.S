// void unibpf_switch_stack(void** save_here, void* go_there): System V x86-64 callee-saved state to the old stack, its pointer
// to *save_here, then the same back from the new one. Used for the control slice; both stacks belong to one thread.
    .text
    .globl unibpf_switch_stack
    .type unibpf_switch_stack, @function
unibpf_switch_stack:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    subq $8, %rsp
    stmxcsr (%rsp)
    fnstcw 4(%rsp)
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    ldmxcsr (%rsp)
    fldcw 4(%rsp)
    addq $8, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    retq
    .size unibpf_switch_stack, . - unibpf_switch_stack

// Where a fresh control stack returns to: control_start put the C function's address in %rbx.
    .globl unibpf_slice_trampoline
    .type unibpf_slice_trampoline, @function
unibpf_slice_trampoline:
    xorl %ebp, %ebp
    callq *%rbx
    ud2
    .size unibpf_slice_trampoline, . - unibpf_slice_trampoline

    .section .note.GNU-stack, "", @progbits
