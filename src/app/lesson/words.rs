//! What the screen of the lessons says, in each language.

use crate::language::Language;
use crate::lesson::{Score, StepKind};

/// The words of a language that stand alone.
#[derive(Debug)]
#[allow(missing_docs, reason = "each field is named after what it says")]
pub struct Words {
    pub lessons: &'static str,
    pub about: &'static str,
    pub carry_on: &'static str,
    pub start: &'static str,
    pub done: &'static str,
    pub explore: &'static str,
    pub from_file: &'static str,
    pub progress: &'static str,
    pub copy_progress: &'static str,
    pub paste_here: &'static str,
    pub take_over: &'static str,
    pub forget: &'static str,
    pub forget_sure: &'static str,
    pub keep: &'static str,
    pub begin_anew: &'static str,
    pub play: &'static str,
    pub play_again: &'static str,
    pub ask_machine: &'static str,
    pub right: &'static str,
    pub wrong: &'static str,
    pub goal: &'static str,
    pub reached: &'static str,
    pub show_solution: &'static str,
    pub solution_shown: &'static str,
    pub edit_entry: &'static str,
    pub back: &'static str,
    pub next: &'static str,
    pub finish: &'static str,
    pub redo: &'static str,
    pub redo_hint: &'static str,
    pub sandbox: &'static str,
    pub sandbox_hint: &'static str,
    pub in_sandbox: &'static str,
    pub to_lesson: &'static str,
    pub progress_copied: &'static str,
    pub engine_is_set: &'static str,
}

static EN: Words = Words {
    lessons: "Lessons",
    about: "Predict, change, build: the machine is the judge. Five to twelve minutes each.",
    carry_on: "Go on",
    start: "Begin",
    done: "done",
    explore: "Explore without a lesson",
    from_file: "From a file",
    progress: "Your progress is kept on this device. As text it can be taken elsewhere.",
    copy_progress: "Copy progress",
    paste_here: "Paste copied progress here",
    take_over: "Take over",
    forget: "Forget progress",
    forget_sure: "Forget all of it",
    keep: "Keep it",
    begin_anew: "Begin this lesson anew",
    play: "Play",
    play_again: "Play again",
    ask_machine: "See what the machine does",
    right: "Right.",
    wrong: "Not so.",
    goal: "Goal",
    reached: "Reached.",
    show_solution: "Show the solution",
    solution_shown: "The solution is in the timeline. What you did is kept as another branch.",
    edit_entry: "Edit the entry",
    back: "Back",
    next: "Next",
    finish: "Finish",
    redo: "Redo",
    redo_hint: "Begin this step again with a new machine",
    sandbox: "Sandbox",
    sandbox_hint: "A copy of this machine in which everything is allowed",
    in_sandbox: "This is a copy of the machine. Everything is allowed and nothing is judged; the lesson waits where you left it.",
    to_lesson: "Back to the lesson",
    progress_copied: "Your progress is on the clipboard",
    engine_is_set: "This step says which engine and caches it runs on. In the sandbox you can choose others.",
};

static ZH: Words = Words {
    lessons: "课程",
    about: "预测、修改、构建，由机器来评判。每课五到十二分钟。",
    carry_on: "继续",
    start: "开始",
    done: "已完成",
    explore: "不用课程，自由探索",
    from_file: "来自文件",
    progress: "学习进度保存在本机。复制成文本，可以带到别处。",
    copy_progress: "复制进度",
    paste_here: "把复制的进度粘贴到这里",
    take_over: "导入",
    forget: "清除进度",
    forget_sure: "全部清除",
    keep: "保留",
    begin_anew: "从头重学这一课",
    play: "播放",
    play_again: "再播放一次",
    ask_machine: "看机器怎么做",
    right: "对。",
    wrong: "不对。",
    goal: "目标",
    reached: "达到了。",
    show_solution: "查看答案",
    solution_shown: "答案已放进时间线。你自己的操作保留在另一条分支上。",
    edit_entry: "编辑表项",
    back: "上一步",
    next: "下一步",
    finish: "完成",
    redo: "重做",
    redo_hint: "换一台新机器，重新开始这一步",
    sandbox: "沙盒",
    sandbox_hint: "这台机器的副本，什么都可以做",
    in_sandbox: "这是机器的副本。什么都可以做，不作评判；课程停在你离开的地方。",
    to_lesson: "回到课程",
    progress_copied: "学习进度已复制到剪贴板",
    engine_is_set: "这一步规定了引擎和缓存。在沙盒里可以另选。",
};

impl Language {
    /// Its words.
    #[must_use]
    pub const fn words(self) -> &'static Words {
        match self {
            Self::En => &EN,
            Self::Zh => &ZH,
        }
    }

    /// The title of a level, 1 to 5.
    #[must_use]
    pub const fn level(self, level: u8) -> &'static str {
        match (self, level) {
            (Self::En, 0 | 1) => "Level 1: first steps",
            (Self::En, 2) => "Level 2: what an entry says",
            (Self::En, 3) => "Level 3: modes and registers",
            (Self::En, 4) => "Level 4: shadow paging",
            (Self::En, _) => "Level 5: what may be stale",
            (Self::Zh, 0 | 1) => "第 1 级：入门",
            (Self::Zh, 2) => "第 2 级：表项的含义",
            (Self::Zh, 3) => "第 3 级：模式与寄存器",
            (Self::Zh, 4) => "第 4 级：影子页表",
            (Self::Zh, _) => "第 5 级：允许过期的东西",
        }
    }

    /// `6 min`.
    #[must_use]
    pub fn minutes(self, minutes: u8) -> String {
        match self {
            Self::En => format!("{minutes} min"),
            Self::Zh => format!("{minutes} 分钟"),
        }
    }

    /// What should be done first, by the numbers of the lessons.
    #[must_use]
    pub fn after(self, lessons: &[usize]) -> String {
        let numbers: Vec<String> = lessons.iter().map(usize::to_string).collect();
        match self {
            Self::En => format!("after {}", numbers.join(", ")),
            Self::Zh => format!("先学 {}", numbers.join("、")),
        }
    }

    /// `3 of 7`, of steps.
    #[must_use]
    pub fn of(self, some: usize, all: usize) -> String {
        match self {
            Self::En => format!("{some} of {all}"),
            Self::Zh => format!("{some}/{all}"),
        }
    }

    /// What a step asks, and its place: `Step 3 of 7 · Predict`.
    #[must_use]
    pub fn step(self, number: usize, all: usize, kind: StepKind) -> String {
        let kind = match (self, kind) {
            (Self::En, StepKind::Watch) => "Watch",
            (Self::En, StepKind::Predict) => "Predict",
            (Self::En, StepKind::Change) => "Change",
            (Self::En, StepKind::Construct) => "Build",
            (Self::En, StepKind::Present) => "Look it up",
            (Self::Zh, StepKind::Watch) => "观察",
            (Self::Zh, StepKind::Predict) => "预测",
            (Self::Zh, StepKind::Change) => "修改",
            (Self::Zh, StepKind::Construct) => "构建",
            (Self::Zh, StepKind::Present) => "查资料",
        };
        match self {
            Self::En => format!("Step {number} of {all} · {kind}"),
            Self::Zh => format!("第 {number} 步，共 {all} 步 · {kind}"),
        }
    }

    /// The button of the next hint.
    #[must_use]
    pub fn hint(self, number: usize, all: usize) -> String {
        match self {
            Self::En => format!("Hint {number} of {all}"),
            Self::Zh => format!("提示 {number}/{all}"),
        }
    }

    /// What is so now, beside a part of a goal that is not reached.
    #[must_use]
    pub fn now(self, fact: &str) -> String {
        match self {
            Self::En => format!("Now: {fact}."),
            Self::Zh => format!("现在：{fact}。"),
        }
    }

    /// What a way has cost.
    #[must_use]
    pub fn score(self, score: Score) -> String {
        let Score { writes, steps } = score;
        let plural = |count: u64| if count == 1 { "" } else { "s" };
        match self {
            Self::En => format!("{writes} store{}, {steps} command{}", plural(writes), plural(steps)),
            Self::Zh => format!("写 {writes} 次，命令 {steps} 条"),
        }
    }

    /// Par, and how far a way is from it.
    #[must_use]
    pub fn par(self, over: i64, reached: bool) -> String {
        match (self, over) {
            (Self::En, ..0) if reached => format!("{} under par", -over),
            (Self::En, 0) if reached => "par".to_owned(),
            (Self::En, 1..) => format!("{over} over par"),
            (Self::Zh, ..0) if reached => format!("低于标准杆 {}", -over),
            (Self::Zh, 0) if reached => "标准杆".to_owned(),
            (Self::Zh, 1..) => format!("高于标准杆 {over}"),
            _ => String::new(),
        }
    }

    /// The names of the rows of the score card: this way, the best so far, par.
    #[must_use]
    pub const fn score_rows(self) -> [&'static str; 3] {
        match self {
            Self::En => ["So far", "Your best", "Par"],
            Self::Zh => ["目前", "最好成绩", "标准杆"],
        }
    }

    /// What an import brought.
    #[must_use]
    pub fn imported(self, lessons: usize, newly_done: usize) -> String {
        match self {
            Self::En => format!("Progress in {lessons} lessons; {newly_done} steps are newly done"),
            Self::Zh => format!("已导入 {lessons} 课的进度，新完成 {newly_done} 步"),
        }
    }
}
