//! The closed list of problem codes. A code is the contract: it is never renamed and never reused.

use actix_web::http::StatusCode;

use super::Msg;

macro_rules! codes {
    ($($(#[$meta:meta])* $variant:ident = $text:literal, $status:ident, $vi:literal, $en:literal;)+) => {
        /// What went wrong, for programs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ProblemCode { $($(#[$meta])* $variant),+ }

        impl ProblemCode {
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The contract's spelling.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Status of an answer whose problem has this code.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status),+ }
            }

            pub fn title(self) -> Msg {
                match self { $(Self::$variant => Msg::fixed($vi, $en)),+ }
            }

            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

codes! {
    // Syntax
    MalformedBody = "MALFORMED_BODY", BAD_REQUEST, "Nội dung yêu cầu không đúng cú pháp", "The body is malformed";
    UnknownField = "UNKNOWN_FIELD", BAD_REQUEST, "Trường không tồn tại", "Unknown field";
    MissingField = "MISSING_FIELD", BAD_REQUEST, "Thiếu trường bắt buộc", "A required field is missing";
    DuplicateField = "DUPLICATE_FIELD", BAD_REQUEST, "Trường bị lặp", "A field occurs twice";
    WrongType = "WRONG_TYPE", BAD_REQUEST, "Sai kiểu dữ liệu", "Wrong type";
    InvalidText = "INVALID_TEXT", BAD_REQUEST, "Văn bản chứa ký tự không hợp lệ", "The text holds characters that are not allowed";
    UnknownParameter = "UNKNOWN_PARAMETER", BAD_REQUEST, "Tham số không tồn tại", "Unknown query parameter";
    InvalidParameter = "INVALID_PARAMETER", BAD_REQUEST, "Tham số không hợp lệ", "Invalid query parameter";
    MalformedPeriod = "MALFORMED_PERIOD", BAD_REQUEST, "Kỳ không đúng định dạng (2018, 2018-Q1 hoặc 2018-03)", "Malformed period (expected 2018, 2018-Q1 or 2018-03)";
    MalformedMonth = "MALFORMED_MONTH", BAD_REQUEST, "Tháng không đúng định dạng (2018-03)", "Malformed month (expected 2018-03)";
    InvalidCursor = "INVALID_CURSOR", BAD_REQUEST, "Con trỏ trang không hợp lệ hoặc thuộc truy vấn khác", "The cursor is invalid or belongs to another query";
    ValueOutOfRange = "VALUE_OUT_OF_RANGE", BAD_REQUEST, "Giá trị nằm ngoài phạm vi lưu trữ được", "A value is outside the range that can be stored";
    InvalidHeader = "INVALID_HEADER", BAD_REQUEST, "Tiêu đề yêu cầu không hợp lệ", "Invalid request header";
    InvalidPath = "INVALID_PATH", BAD_REQUEST, "Đường dẫn không viết theo dạng chuẩn", "The path is not in its canonical form";
    TooManyParameters = "TOO_MANY_PARAMETERS", BAD_REQUEST, "Quá nhiều tham số", "Too many query parameters";
    UriTooLong = "URI_TOO_LONG", URI_TOO_LONG, "Địa chỉ yêu cầu quá dài", "The path and query are too long";
    HeadersTooLarge = "HEADERS_TOO_LARGE", REQUEST_HEADER_FIELDS_TOO_LARGE, "Các tiêu đề yêu cầu quá lớn", "The request headers are too large";
    // Who
    Unauthenticated = "UNAUTHENTICATED", UNAUTHORIZED, "Cần đăng nhập", "Authentication is required";
    InvalidToken = "INVALID_TOKEN", UNAUTHORIZED, "Mã truy cập không hợp lệ hoặc đã hết hạn", "The access token is invalid or expired";
    InvalidCredentials = "INVALID_CREDENTIALS", UNAUTHORIZED, "Tên đăng nhập hoặc mật khẩu không đúng", "Wrong username or password";
    InvalidRefreshToken = "INVALID_REFRESH_TOKEN", UNAUTHORIZED, "Mã làm mới không hợp lệ, đã dùng hoặc đã hết hạn", "The refresh token is invalid, used or expired";
    SecondFactorRequired = "SECOND_FACTOR_REQUIRED", UNAUTHORIZED, "Cần mã xác thực của yếu tố thứ hai", "A code of the second factor is required";
    InvalidSecondFactor = "INVALID_SECOND_FACTOR", UNAUTHORIZED, "Mã xác thực không đúng, đã dùng hoặc đã hết hạn", "The code of the second factor is wrong, used or expired";
    InvalidSingleSignOn = "INVALID_SINGLE_SIGN_ON", UNAUTHORIZED, "Đăng nhập một lần không thành công", "Single sign-on did not succeed";
    Forbidden = "FORBIDDEN", FORBIDDEN, "Không có quyền thực hiện", "Not allowed";
    Withheld = "WITHHELD", FORBIDDEN, "Không cung cấp vì có thể suy ra số liệu của cơ quan khác", "Withheld: the answer could give away the figures of other agencies";
    ReviewerIsSubmitter = "REVIEWER_IS_SUBMITTER", FORBIDDEN, "Người duyệt không được là người gửi", "The reviewer may not be the submitter";
    PasswordChangeRequired = "PASSWORD_CHANGE_REQUIRED", FORBIDDEN, "Cần đổi mật khẩu được cấp trước khi sử dụng (PUT /me/password)", "The password that was given out has to be changed first (PUT /me/password)";
    SecondFactorEnrolmentRequired = "SECOND_FACTOR_ENROLMENT_REQUIRED", FORBIDDEN, "Cần đăng ký yếu tố xác thực thứ hai trước khi sử dụng (POST /me/second-factor)", "A second factor has to be enrolled first (POST /me/second-factor)";
    OutsideScope = "OUTSIDE_SCOPE", FORBIDDEN, "Cơ quan nằm ngoài phạm vi của tài khoản", "The agency is outside the caller's scope";
    // What
    NotFound = "NOT_FOUND", NOT_FOUND, "Không tìm thấy", "Not found";
    MethodNotAllowed = "METHOD_NOT_ALLOWED", METHOD_NOT_ALLOWED, "Phương thức không được hỗ trợ", "Method not allowed";
    NotAcceptable = "NOT_ACCEPTABLE", NOT_ACCEPTABLE, "Không có định dạng được yêu cầu", "None of the accepted formats is offered";
    AlreadyExists = "ALREADY_EXISTS", CONFLICT, "Đã tồn tại", "Already exists";
    Conflict = "CONFLICT", CONFLICT, "Xung đột với trạng thái hiện tại", "Conflict with the present state";
    TransitionNotAllowed = "TRANSITION_NOT_ALLOWED", CONFLICT, "Không thể chuyển trạng thái như yêu cầu", "The transition is not allowed in this state";
    NotEditable = "NOT_EDITABLE", CONFLICT, "Không thể sửa ở trạng thái hiện tại", "Not editable in this state";
    PeriodLocked = "PERIOD_LOCKED", CONFLICT, "Kỳ báo cáo đã khóa", "The period is locked";
    InUse = "IN_USE", CONFLICT, "Đang được sử dụng", "In use";
    IdempotencyInProgress = "IDEMPOTENCY_IN_PROGRESS", CONFLICT, "Yêu cầu cùng khóa đang được xử lý", "A request with this key is still running";
    PreconditionFailed = "PRECONDITION_FAILED", PRECONDITION_FAILED, "Dữ liệu đã được người khác thay đổi", "The resource has changed since it was read";
    PreconditionRequired = "PRECONDITION_REQUIRED", PRECONDITION_REQUIRED, "Cần tiêu đề If-Match", "If-Match is required";
    PayloadTooLarge = "PAYLOAD_TOO_LARGE", PAYLOAD_TOO_LARGE, "Nội dung quá lớn", "The body is too large";
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", UNSUPPORTED_MEDIA_TYPE, "Kiểu nội dung không được hỗ trợ", "Unsupported media type";
    // Rules
    ValidationFailed = "VALIDATION_FAILED", UNPROCESSABLE_ENTITY, "Dữ liệu vi phạm quy tắc", "The data breaks a rule";
    IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED", UNPROCESSABLE_ENTITY, "Khóa Idempotency-Key đã dùng cho nội dung khác", "The Idempotency-Key was used with another request";
    Required = "REQUIRED", UNPROCESSABLE_ENTITY, "Bắt buộc", "Required";
    InvalidCode = "INVALID_CODE", UNPROCESSABLE_ENTITY, "Mã không hợp lệ", "Invalid code";
    InvalidLength = "INVALID_LENGTH", UNPROCESSABLE_ENTITY, "Độ dài không hợp lệ", "Invalid length";
    InvalidValue = "INVALID_VALUE", UNPROCESSABLE_ENTITY, "Giá trị không hợp lệ", "Invalid value";
    InvalidRange = "INVALID_RANGE", UNPROCESSABLE_ENTITY, "Khoảng giá trị không hợp lệ", "Invalid range";
    UnknownReference = "UNKNOWN_REFERENCE", UNPROCESSABLE_ENTITY, "Tham chiếu tới đối tượng không tồn tại", "Refers to something that does not exist";
    CyclicReference = "CYCLIC_REFERENCE", UNPROCESSABLE_ENTITY, "Tham chiếu vòng", "The reference makes a cycle";
    DuplicateEntry = "DUPLICATE_ENTRY", UNPROCESSABLE_ENTITY, "Mục bị lặp", "The entry occurs twice";
    NotANumber = "NOT_A_NUMBER", UNPROCESSABLE_ENTITY, "Không phải là số", "Not a number";
    DecimalComma = "DECIMAL_COMMA", UNPROCESSABLE_ENTITY, "Dấu phẩy thập phân: hãy gửi số JSON, ví dụ 84.1", "Decimal comma: send a JSON number, such as 84.1";
    AmbiguousNumber = "AMBIGUOUS_NUMBER", UNPROCESSABLE_ENTITY, "Số không rõ ràng: dấu chấm là phần nghìn hay thập phân? Hãy gửi số JSON", "Ambiguous: is the point for thousands or decimals? Send a JSON number";
    NotAnInteger = "NOT_AN_INTEGER", UNPROCESSABLE_ENTITY, "Phải là số nguyên", "Must be a whole number";
    NumberOutOfRange = "NUMBER_OUT_OF_RANGE", UNPROCESSABLE_ENTITY, "Số vượt phạm vi", "The number is out of range";
    Negative = "NEGATIVE", UNPROCESSABLE_ENTITY, "Không được âm", "Must not be negative";
    NumeratorExceedsDenominator = "NUMERATOR_EXCEEDS_DENOMINATOR", UNPROCESSABLE_ENTITY, "Tử số lớn hơn mẫu số", "The numerator exceeds the denominator";
    ZeroDenominator = "ZERO_DENOMINATOR", UNPROCESSABLE_ENTITY, "Mẫu số bằng 0", "The denominator is zero";
    NumeratorRequired = "NUMERATOR_REQUIRED", UNPROCESSABLE_ENTITY, "Cần tử số và mẫu số, không chỉ tỷ lệ", "Numerator and denominator are needed, not only a rate";
    ValueRequired = "VALUE_REQUIRED", UNPROCESSABLE_ENTITY, "Chỉ tiêu này cần một giá trị, không phải tử số và mẫu số", "This indicator takes a value, not a numerator and a denominator";
    NoteRequired = "NOTE_REQUIRED", UNPROCESSABLE_ENTITY, "Cần ghi chú giải thích cảnh báo", "A note that explains the warning is needed";
    ReasonRequired = "REASON_REQUIRED", UNPROCESSABLE_ENTITY, "Cần nêu lý do", "A reason is needed";
    EmptySubmission = "EMPTY_SUBMISSION", UNPROCESSABLE_ENTITY, "Báo cáo chưa có số liệu", "The submission has no values";
    DateInFuture = "DATE_IN_FUTURE", UNPROCESSABLE_ENTITY, "Ngày ở tương lai", "The date lies in the future";
    NotALead = "NOT_A_LEAD", UNPROCESSABLE_ENTITY, "Cơ quan không chủ trì nhiệm vụ này", "The agency does not lead this task";
    AgencyNotActive = "AGENCY_NOT_ACTIVE", UNPROCESSABLE_ENTITY, "Cơ quan không hoạt động trong kỳ này", "The agency does not exist in this period";
    WeakPassword = "WEAK_PASSWORD", UNPROCESSABLE_ENTITY, "Mật khẩu quá yếu", "The password is too weak";
    WrongPassword = "WRONG_PASSWORD", UNPROCESSABLE_ENTITY, "Mật khẩu hiện tại không đúng", "The current password is wrong";
    WrongSecondFactor = "WRONG_SECOND_FACTOR", UNPROCESSABLE_ENTITY, "Mã xác thực không đúng, đã dùng hoặc đã hết hạn", "The code of the second factor is wrong, used or expired";
    ControlMismatch = "CONTROL_MISMATCH", UNPROCESSABLE_ENTITY, "Số kiểm tra không khớp", "The control total does not match";
    ForeignSource = "FOREIGN_SOURCE", UNPROCESSABLE_ENTITY, "Cơ quan có nguồn số liệu khác", "The agency's counts come from another source";
    ArithmeticMismatch = "ARITHMETIC_MISMATCH", UNPROCESSABLE_ENTITY, "Số liệu hồ sơ không cân đối", "The dossier counts do not balance";
    WorkTooLarge = "WORK_TOO_LARGE", UNPROCESSABLE_ENTITY, "Khối lượng tính toán vượt giới hạn", "The computation is larger than allowed";
    MissingData = "MISSING_DATA", UNPROCESSABLE_ENTITY, "Thiếu số liệu", "Data is missing";
    // Frameworks
    TreeTooDeep = "TREE_TOO_DEEP", UNPROCESSABLE_ENTITY, "Cây chỉ tiêu quá sâu", "The tree is too deep";
    TooManyLeaves = "TOO_MANY_LEAVES", UNPROCESSABLE_ENTITY, "Quá nhiều chỉ tiêu", "Too many indicators";
    NodeEmpty = "NODE_EMPTY", UNPROCESSABLE_ENTITY, "Nhóm không có chỉ tiêu", "The group has no children";
    NodeAndLeaf = "NODE_AND_LEAF", UNPROCESSABLE_ENTITY, "Vừa là nhóm vừa là chỉ tiêu", "Both a group and an indicator";
    AggregateMissing = "AGGREGATE_MISSING", UNPROCESSABLE_ENTITY, "Thiếu cách tổng hợp của nhóm", "The group does not say how it aggregates";
    WeightNegative = "WEIGHT_NEGATIVE", UNPROCESSABLE_ENTITY, "Trọng số âm", "The weight is negative";
    WeightsAllZero = "WEIGHTS_ALL_ZERO", UNPROCESSABLE_ENTITY, "Mọi trọng số của nhóm bằng 0", "All weights of the group are zero";
    WeightsTotal = "WEIGHTS_TOTAL", UNPROCESSABLE_ENTITY, "Tổng trọng số không khớp", "The weights do not add up";
    MethodMissing = "METHOD_MISSING", UNPROCESSABLE_ENTITY, "Thiếu cách chuẩn hóa", "The indicator does not say how it is normalised";
    MethodAndPoints = "METHOD_AND_POINTS", UNPROCESSABLE_ENTITY, "Vừa chuẩn hóa vừa chấm điểm", "Both a method and points";
    GoalpostsMissing = "GOALPOSTS_MISSING", UNPROCESSABLE_ENTITY, "Thiếu cận trên hoặc cận dưới", "A goalpost is missing";
    GoalpostsReversed = "GOALPOSTS_REVERSED", UNPROCESSABLE_ENTITY, "Cận dưới không nhỏ hơn cận trên", "The lower goalpost is not below the upper one";
    BoundsUnused = "BOUNDS_UNUSED", UNPROCESSABLE_ENTITY, "Cận không dùng với cách chuẩn hóa này", "The method uses no bounds";
    ScaleReversed = "SCALE_REVERSED", UNPROCESSABLE_ENTITY, "Thang điểm bị đảo", "The scale is reversed";
    TruncateReversed = "TRUNCATE_REVERSED", UNPROCESSABLE_ENTITY, "Giới hạn cắt bị đảo", "The truncation is reversed";
    PerNotPositive = "PER_NOT_POSITIVE", UNPROCESSABLE_ENTITY, "Hệ số nhân phải dương", "The factor must be positive";
    MaxPointsMissing = "MAX_POINTS_MISSING", UNPROCESSABLE_ENTITY, "Thiếu điểm tối đa", "The maximum of points is missing";
    MaxPointsNotPositive = "MAX_POINTS_NOT_POSITIVE", UNPROCESSABLE_ENTITY, "Điểm tối đa phải dương", "The maximum of points must be positive";
    MaxPointsTotal = "MAX_POINTS_TOTAL", UNPROCESSABLE_ENTITY, "Tổng điểm tối đa không khớp", "The maxima do not add up";
    PointsParameter = "POINTS_PARAMETER", UNPROCESSABLE_ENTITY, "Tham số chấm điểm không hợp lệ", "A parameter does not fit this kind of points";
    StepsMissing = "STEPS_MISSING", UNPROCESSABLE_ENTITY, "Thiếu bảng bậc điểm", "The table of steps is missing";
    StepsUnordered = "STEPS_UNORDERED", UNPROCESSABLE_ENTITY, "Bậc điểm không tăng dần", "The steps do not ascend";
    StepsOutOfRange = "STEPS_OUT_OF_RANGE", UNPROCESSABLE_ENTITY, "Điểm của bậc ngoài phạm vi", "The points of a step are out of range";
    AlternativesMissing = "ALTERNATIVES_MISSING", UNPROCESSABLE_ENTITY, "Thiếu các phương án", "The alternatives are missing";
    AlternativeKind = "ALTERNATIVE_KIND", UNPROCESSABLE_ENTITY, "Phương án không chấm được theo cách này", "An alternative cannot be of this kind";
    DirectionNotAllowed = "DIRECTION_NOT_ALLOWED", UNPROCESSABLE_ENTITY, "Chiều không dùng với cách chấm điểm này", "These points take no direction";
    AppliesToEmpty = "APPLIES_TO_EMPTY", UNPROCESSABLE_ENTITY, "Chỉ tiêu không áp dụng cho ai", "The indicator applies to nobody";
    RankDecimals = "RANK_DECIMALS", UNPROCESSABLE_ENTITY, "Quá nhiều chữ số thập phân", "Too many decimals";
    BandsUnordered = "BANDS_UNORDERED", UNPROCESSABLE_ENTITY, "Các mức xếp loại không tăng dần", "The bands do not ascend";
    // Load and failure
    TooManyRequests = "TOO_MANY_REQUESTS", TOO_MANY_REQUESTS, "Quá nhiều yêu cầu, hãy thử lại sau", "Too many requests, try again later";
    Unavailable = "UNAVAILABLE", SERVICE_UNAVAILABLE, "Dịch vụ tạm thời gián đoạn, hãy thử lại", "Temporarily unavailable, try again";
    Internal = "INTERNAL", INTERNAL_SERVER_ERROR, "Lỗi của hệ thống", "A fault of the service";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_upper_snake_and_unique() {
        let mut seen = HashSet::new();
        for code in ProblemCode::ALL {
            let text = code.as_str();
            assert!(text.chars().all(|c| c.is_ascii_uppercase() || c == '_'), "{text}");
            assert!(seen.insert(text), "{text} occurs twice");
            assert_eq!(ProblemCode::parse(text), Some(*code));
        }
    }
}
