Idle -> { input -> { input -> { input -> { input -> { input -> { input -> { input -> { input -> { input -> { input -> { input -> { input -> { input -> { input -> { input -> { input -> { input -> { input -> { input -> { input -> Null -> output } -> output } -> output } -> output } -> output } -> output } -> output } -> output } -> output } -> output } -> output } -> output } -> output } -> output } -> output } -> output } -> output } -> output } -> output } -> output } -> Discard;
%errors
1:185 compounds nest deeper than 16
