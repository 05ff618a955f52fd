elementclass C0 { input -> output }
elementclass C1 { input -> x :: C0 -> output }
elementclass C2 { input -> x :: C1 -> output }
elementclass C3 { input -> x :: C2 -> output }
elementclass C4 { input -> x :: C3 -> output }
elementclass C5 { input -> x :: C4 -> output }
elementclass C6 { input -> x :: C5 -> output }
elementclass C7 { input -> x :: C6 -> output }
elementclass C8 { input -> x :: C7 -> output }
elementclass C9 { input -> x :: C8 -> output }
elementclass C10 { input -> x :: C9 -> output }
elementclass C11 { input -> x :: C10 -> output }
elementclass C12 { input -> x :: C11 -> output }
elementclass C13 { input -> x :: C12 -> output }
elementclass C14 { input -> x :: C13 -> output }
elementclass C15 { input -> x :: C14 -> output }
elementclass C16 { input -> x :: C15 -> output }
elementclass C17 { input -> x :: C16 -> output }
elementclass C18 { input -> x :: C17 -> output }
FromDevice(eth0) -> x :: C18 -> Discard;
%errors
4:28 compounds nest deeper than 16
