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

            /// The detail of a number where a whole one is expected: the advice about decimals would lead astray.
            pub fn of_whole_number(self) -> Msg {
                match self {
                    Self::NotANumber | Self::DecimalComma | Self::AmbiguousNumber | Self::NotAnInteger => Msg::fixed(
                        "Phải nhập số nguyên, không dùng dấu chấm hoặc dấu phẩy phân cách, ví dụ 1155.",
                        "Expected a whole number without separators, such as 1155.",
                    ),
                    other => other.title(),
                }
            }

            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

codes! {
    // Syntax
    MalformedBody = "MALFORMED_BODY", BAD_REQUEST, "Nội dung yêu cầu không đúng cú pháp", "Malformed request body";
    RequestTimeout = "REQUEST_TIMEOUT", REQUEST_TIMEOUT, "Không nhận đủ nội dung yêu cầu trong thời gian quy định", "The request body did not arrive in time";
    UnknownField = "UNKNOWN_FIELD", BAD_REQUEST, "Có trường dữ liệu không được hỗ trợ", "Unknown field";
    MissingField = "MISSING_FIELD", BAD_REQUEST, "Thiếu trường dữ liệu bắt buộc", "Missing required field";
    DuplicateField = "DUPLICATE_FIELD", BAD_REQUEST, "Trường dữ liệu xuất hiện nhiều lần", "Duplicate field";
    WrongType = "WRONG_TYPE", BAD_REQUEST, "Sai kiểu dữ liệu", "Wrong type";
    InvalidText = "INVALID_TEXT", BAD_REQUEST, "Nội dung chữ chứa ký tự không được phép", "Text contains characters that are not allowed";
    UnknownParameter = "UNKNOWN_PARAMETER", BAD_REQUEST, "Có tham số không được hỗ trợ", "Unknown query parameter";
    InvalidParameter = "INVALID_PARAMETER", BAD_REQUEST, "Tham số không hợp lệ", "Invalid query parameter";
    MalformedPeriod = "MALFORMED_PERIOD", BAD_REQUEST, "Kỳ báo cáo sai định dạng; nhập theo mẫu 2018, 2018-Q1 hoặc 2018-03", "Malformed period: use 2018, 2018-Q1 or 2018-03";
    MalformedMonth = "MALFORMED_MONTH", BAD_REQUEST, "Tháng sai định dạng; nhập theo mẫu 2018-03", "Malformed month: use 2018-03";
    InvalidCursor = "INVALID_CURSOR", BAD_REQUEST, "Mã trang (cursor) không hợp lệ hoặc thuộc truy vấn khác; đề nghị tải lại từ trang đầu", "Invalid cursor, or a cursor of another query";
    ValueOutOfRange = "VALUE_OUT_OF_RANGE", BAD_REQUEST, "Giá trị vượt phạm vi lưu trữ cho phép", "A value is out of range";
    InvalidHeader = "INVALID_HEADER", BAD_REQUEST, "Header của yêu cầu không hợp lệ", "Invalid request header";
    InvalidPath = "INVALID_PATH", BAD_REQUEST, "Đường dẫn phải viết theo dạng chuẩn", "The path is not in canonical form";
    TooManyParameters = "TOO_MANY_PARAMETERS", BAD_REQUEST, "Vượt quá số tham số cho phép", "Too many query parameters";
    UriTooLong = "URI_TOO_LONG", URI_TOO_LONG, "Đường dẫn và tham số của yêu cầu quá dài", "Path and query too long";
    HeadersTooLarge = "HEADERS_TOO_LARGE", REQUEST_HEADER_FIELDS_TOO_LARGE, "Các header của yêu cầu quá lớn", "Request headers too large";
    // Who
    Unauthenticated = "UNAUTHENTICATED", UNAUTHORIZED, "Chưa đăng nhập; đề nghị đăng nhập để tiếp tục", "Authentication required";
    InvalidToken = "INVALID_TOKEN", UNAUTHORIZED, "Phiên đăng nhập không hợp lệ hoặc đã hết hạn; đề nghị đăng nhập lại", "The access token is invalid or expired";
    InvalidCredentials = "INVALID_CREDENTIALS", UNAUTHORIZED, "Tên đăng nhập hoặc mật khẩu không đúng", "Incorrect username or password";
    InvalidRefreshToken = "INVALID_REFRESH_TOKEN", UNAUTHORIZED, "Không gia hạn được phiên đăng nhập (refresh token không hợp lệ, đã sử dụng hoặc đã hết hạn); đề nghị đăng nhập lại", "The refresh token is invalid, already used or expired";
    SecondFactorRequired = "SECOND_FACTOR_REQUIRED", UNAUTHORIZED, "Phải nhập mã xác thực của yếu tố thứ hai", "A second factor code is required";
    InvalidSecondFactor = "INVALID_SECOND_FACTOR", UNAUTHORIZED, "Mã xác thực không đúng, đã sử dụng hoặc đã hết hạn; đề nghị nhập mã mới", "The second factor code is incorrect, already used or expired";
    InvalidSingleSignOn = "INVALID_SINGLE_SIGN_ON", UNAUTHORIZED, "Đăng nhập một lần (SSO) không thành công; đề nghị đăng nhập lại", "Single sign-on failed";
    Forbidden = "FORBIDDEN", FORBIDDEN, "Tài khoản không có quyền thực hiện thao tác này", "Not permitted";
    Withheld = "WITHHELD", FORBIDDEN, "Không cung cấp kết quả này vì có thể suy ra số liệu của cơ quan khác", "Withheld: the result could reveal other agencies' figures";
    ReviewerIsSubmitter = "REVIEWER_IS_SUBMITTER", FORBIDDEN, "Người đã gửi báo cáo không được tự duyệt; đề nghị người khác duyệt", "You cannot review a submission that you submitted";
    PasswordChangeRequired = "PASSWORD_CHANGE_REQUIRED", FORBIDDEN, "Đang dùng mật khẩu tạm; phải đổi mật khẩu trước khi sử dụng (PUT /api/v1/me/password)", "Change your temporary password first (PUT /api/v1/me/password)";
    SecondFactorEnrolmentRequired = "SECOND_FACTOR_ENROLMENT_REQUIRED", FORBIDDEN, "Phải đăng ký yếu tố xác thực thứ hai trước khi sử dụng (POST /api/v1/me/second-factor)", "Enrol a second factor first (POST /api/v1/me/second-factor)";
    OutsideScope = "OUTSIDE_SCOPE", FORBIDDEN, "Cơ quan không thuộc phạm vi quản lý của tài khoản", "Agency is outside your scope";
    // What
    NotFound = "NOT_FOUND", NOT_FOUND, "Không tìm thấy, hoặc tài khoản không có quyền xem", "Not found";
    MethodNotAllowed = "METHOD_NOT_ALLOWED", METHOD_NOT_ALLOWED, "Địa chỉ này không hỗ trợ phương thức HTTP được gọi", "Method not allowed";
    NotAcceptable = "NOT_ACCEPTABLE", NOT_ACCEPTABLE, "Không hỗ trợ định dạng được yêu cầu", "None of the requested formats is available";
    AlreadyExists = "ALREADY_EXISTS", CONFLICT, "Dữ liệu đã có trong hệ thống", "Already exists";
    Conflict = "CONFLICT", CONFLICT, "Không thực hiện được thao tác ở trạng thái hiện tại", "Conflicts with the current state";
    TransitionNotAllowed = "TRANSITION_NOT_ALLOWED", CONFLICT, "Không chuyển được sang trạng thái yêu cầu", "Transition not allowed in the current state";
    NotEditable = "NOT_EDITABLE", CONFLICT, "Báo cáo không sửa được ở trạng thái hiện tại", "Not editable in the current state";
    PeriodLocked = "PERIOD_LOCKED", CONFLICT, "Tháng báo cáo đã chốt số liệu", "The month is closed";
    InUse = "IN_USE", CONFLICT, "Không xóa được vì đang được sử dụng", "Still in use";
    IdempotencyInProgress = "IDEMPOTENCY_IN_PROGRESS", CONFLICT, "Yêu cầu trước với cùng Idempotency-Key đang được xử lý; đề nghị chờ rồi gửi lại", "A request with this Idempotency-Key is still in progress";
    PreconditionFailed = "PRECONDITION_FAILED", PRECONDITION_FAILED, "Dữ liệu đã thay đổi kể từ lần đọc gần nhất; đề nghị tải lại rồi thực hiện lại", "The resource has changed since you read it";
    PreconditionRequired = "PRECONDITION_REQUIRED", PRECONDITION_REQUIRED, "Yêu cầu thiếu header If-Match", "If-Match is required";
    PayloadTooLarge = "PAYLOAD_TOO_LARGE", PAYLOAD_TOO_LARGE, "Nội dung gửi vượt dung lượng cho phép", "Request body too large";
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", UNSUPPORTED_MEDIA_TYPE, "Định dạng nội dung không được hỗ trợ", "Unsupported media type";
    // Rules
    ValidationFailed = "VALIDATION_FAILED", UNPROCESSABLE_ENTITY, "Dữ liệu chưa hợp lệ; đề nghị kiểm tra, chỉnh sửa và gửi lại", "Validation failed";
    IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED", UNPROCESSABLE_ENTITY, "Idempotency-Key này đã dùng cho yêu cầu có nội dung khác", "This Idempotency-Key was used for a different request";
    Required = "REQUIRED", UNPROCESSABLE_ENTITY, "Bắt buộc nhập", "Required";
    InvalidCode = "INVALID_CODE", UNPROCESSABLE_ENTITY, "Mã sai định dạng", "Invalid code";
    InvalidLength = "INVALID_LENGTH", UNPROCESSABLE_ENTITY, "Độ dài hoặc số lượng không hợp lệ", "Invalid length or number of items";
    InvalidValue = "INVALID_VALUE", UNPROCESSABLE_ENTITY, "Giá trị không hợp lệ", "Invalid value";
    InvalidRange = "INVALID_RANGE", UNPROCESSABLE_ENTITY, "Giá trị ngoài khoảng cho phép", "Value out of range";
    UnknownReference = "UNKNOWN_REFERENCE", UNPROCESSABLE_ENTITY, "Mã được dẫn chiếu không có trong hệ thống", "The referenced item does not exist";
    CyclicReference = "CYCLIC_REFERENCE", UNPROCESSABLE_ENTITY, "Dẫn chiếu vòng (tự dẫn chiếu)", "Circular reference";
    DuplicateEntry = "DUPLICATE_ENTRY", UNPROCESSABLE_ENTITY, "Khai báo trùng", "Duplicate entry";
    NotANumber = "NOT_A_NUMBER", UNPROCESSABLE_ENTITY, "Phải nhập số", "Must be a number";
    DecimalComma = "DECIMAL_COMMA", UNPROCESSABLE_ENTITY, "Số có dấu phẩy: trong JSON dùng dấu chấm làm dấu thập phân (ví dụ 84.1); số nguyên không dùng dấu phân cách", "The number contains a comma: use a decimal point (84.1), and no separators in whole numbers";
    AmbiguousNumber = "AMBIGUOUS_NUMBER", UNPROCESSABLE_ENTITY, "Không rõ dấu chấm là dấu phân cách hàng nghìn hay dấu thập phân; gửi dưới dạng số (1155 hoặc 1.155), không đặt trong ngoặc kép", "Ambiguous: is the point a thousands separator or a decimal point? Send a JSON number";
    NotAnInteger = "NOT_AN_INTEGER", UNPROCESSABLE_ENTITY, "Phải là số nguyên", "Must be a whole number";
    NumberOutOfRange = "NUMBER_OUT_OF_RANGE", UNPROCESSABLE_ENTITY, "Số vượt phạm vi cho phép", "Number out of range";
    Negative = "NEGATIVE", UNPROCESSABLE_ENTITY, "Không được là số âm", "Must not be negative";
    NumeratorExceedsDenominator = "NUMERATOR_EXCEEDS_DENOMINATOR", UNPROCESSABLE_ENTITY, "Tử số không được lớn hơn mẫu số; đề nghị kiểm tra lại số liệu", "The numerator exceeds the denominator";
    ZeroDenominator = "ZERO_DENOMINATOR", UNPROCESSABLE_ENTITY, "Mẫu số bằng 0 trong khi tử số khác 0; đề nghị kiểm tra lại số liệu", "The denominator is 0 but the numerator is not";
    NumeratorRequired = "NUMERATOR_REQUIRED", UNPROCESSABLE_ENTITY, "Chỉ tiêu này phải báo cáo tử số và mẫu số, không báo cáo riêng tỷ lệ", "Report a numerator and a denominator, not a rate";
    ValueRequired = "VALUE_REQUIRED", UNPROCESSABLE_ENTITY, "Chỉ tiêu này báo cáo một giá trị (value), không có tử số và mẫu số", "This indicator takes a value, not a numerator and a denominator";
    NoteRequired = "NOTE_REQUIRED", UNPROCESSABLE_ENTITY, "Số liệu biến động bất thường; phải giải trình ở ô ghi chú (note) trước khi gửi", "Explain this warning in `note`";
    ReasonRequired = "REASON_REQUIRED", UNPROCESSABLE_ENTITY, "Phải nêu lý do", "A reason is required";
    EmptySubmission = "EMPTY_SUBMISSION", UNPROCESSABLE_ENTITY, "Báo cáo chưa có số liệu; đề nghị nhập số liệu trước khi gửi", "The submission has no values";
    DateInFuture = "DATE_IN_FUTURE", UNPROCESSABLE_ENTITY, "Ngày hoặc tháng này chưa đến", "The date is in the future";
    NotALead = "NOT_A_LEAD", UNPROCESSABLE_ENTITY, "Cơ quan không phải là cơ quan chủ trì nhiệm vụ này", "The agency does not lead this task";
    AgencyNotActive = "AGENCY_NOT_ACTIVE", UNPROCESSABLE_ENTITY, "Cơ quan chưa thành lập hoặc đã chấm dứt hoạt động trong kỳ này", "The agency is not active in this period";
    WeakPassword = "WEAK_PASSWORD", UNPROCESSABLE_ENTITY, "Mật khẩu chưa đủ mạnh", "The password is too weak";
    WrongPassword = "WRONG_PASSWORD", UNPROCESSABLE_ENTITY, "Mật khẩu hiện tại không đúng", "The current password is incorrect";
    WrongSecondFactor = "WRONG_SECOND_FACTOR", UNPROCESSABLE_ENTITY, "Mã xác thực không đúng, đã sử dụng hoặc đã hết hạn; đề nghị nhập mã mới", "The second factor code is incorrect, already used or expired";
    ControlMismatch = "CONTROL_MISMATCH", UNPROCESSABLE_ENTITY, "Tổng đối chiếu không khớp", "The control total does not match";
    ForeignSource = "FOREIGN_SOURCE", UNPROCESSABLE_ENTITY, "Số liệu hồ sơ của cơ quan thuộc nguồn khác", "The agency's counts come from another source";
    ArithmeticMismatch = "ARITHMETIC_MISMATCH", UNPROCESSABLE_ENTITY, "Số liệu hồ sơ không khớp", "The dossier counts do not balance";
    WorkTooLarge = "WORK_TOO_LARGE", UNPROCESSABLE_ENTITY, "Khối lượng tính toán vượt giới hạn cho phép", "The computation is too large";
    MissingData = "MISSING_DATA", UNPROCESSABLE_ENTITY, "Thiếu số liệu", "Missing data";
    // Frameworks
    TreeTooDeep = "TREE_TOO_DEEP", UNPROCESSABLE_ENTITY, "Bộ chỉ số vượt quá số cấp cho phép", "The framework has too many levels";
    TooManyLeaves = "TOO_MANY_LEAVES", UNPROCESSABLE_ENTITY, "Vượt quá số chỉ tiêu cho phép", "Too many indicators";
    NodeEmpty = "NODE_EMPTY", UNPROCESSABLE_ENTITY, "Nhóm chưa có chỉ tiêu", "The group has no children";
    NodeAndLeaf = "NODE_AND_LEAF", UNPROCESSABLE_ENTITY, "Một mục không được vừa là nhóm vừa là chỉ tiêu", "Cannot be both a group and an indicator";
    AggregateMissing = "AGGREGATE_MISSING", UNPROCESSABLE_ENTITY, "Chưa khai báo phương pháp tổng hợp của nhóm", "Missing aggregation method";
    WeightNegative = "WEIGHT_NEGATIVE", UNPROCESSABLE_ENTITY, "Trọng số không được âm", "Negative weight";
    WeightsAllZero = "WEIGHTS_ALL_ZERO", UNPROCESSABLE_ENTITY, "Tất cả trọng số trong nhóm bằng 0", "All weights in the group are zero";
    WeightsTotal = "WEIGHTS_TOTAL", UNPROCESSABLE_ENTITY, "Tổng trọng số không đúng", "The weights do not add up";
    MethodMissing = "METHOD_MISSING", UNPROCESSABLE_ENTITY, "Chưa khai báo phương pháp chuẩn hóa", "Missing normalisation method";
    MethodAndPoints = "METHOD_AND_POINTS", UNPROCESSABLE_ENTITY, "Không được khai báo đồng thời chuẩn hóa và chấm điểm", "Cannot have both a method and points";
    GoalpostsMissing = "GOALPOSTS_MISSING", UNPROCESSABLE_ENTITY, "Thiếu cận trên hoặc cận dưới", "Missing goalpost";
    GoalpostsReversed = "GOALPOSTS_REVERSED", UNPROCESSABLE_ENTITY, "Cận dưới phải nhỏ hơn cận trên", "The lower goalpost must be below the upper one";
    BoundsUnused = "BOUNDS_UNUSED", UNPROCESSABLE_ENTITY, "Phương pháp chuẩn hóa này không dùng cận", "This method does not use bounds";
    ScaleReversed = "SCALE_REVERSED", UNPROCESSABLE_ENTITY, "Thang điểm phải xếp từ thấp đến cao", "The scale must ascend";
    TruncateReversed = "TRUNCATE_REVERSED", UNPROCESSABLE_ENTITY, "Giới hạn dưới phải nhỏ hơn giới hạn trên", "The lower truncation bound must be below the upper one";
    PerNotPositive = "PER_NOT_POSITIVE", UNPROCESSABLE_ENTITY, "Hệ số nhân (per) phải lớn hơn 0", "The factor must be positive";
    MaxPointsMissing = "MAX_POINTS_MISSING", UNPROCESSABLE_ENTITY, "Chưa khai báo điểm tối đa", "Missing `max_points`";
    MaxPointsNotPositive = "MAX_POINTS_NOT_POSITIVE", UNPROCESSABLE_ENTITY, "Điểm tối đa phải lớn hơn 0", "`max_points` must be positive";
    MaxPointsTotal = "MAX_POINTS_TOTAL", UNPROCESSABLE_ENTITY, "Tổng điểm tối đa không đúng", "Maximum points do not add up";
    PointsParameter = "POINTS_PARAMETER", UNPROCESSABLE_ENTITY, "Tham số chấm điểm không hợp lệ", "Parameter not allowed for this kind of points";
    StepsMissing = "STEPS_MISSING", UNPROCESSABLE_ENTITY, "Chưa khai báo các bậc điểm", "Missing steps";
    StepsUnordered = "STEPS_UNORDERED", UNPROCESSABLE_ENTITY, "Các bậc điểm phải tăng dần", "Steps must ascend";
    StepsOutOfRange = "STEPS_OUT_OF_RANGE", UNPROCESSABLE_ENTITY, "Điểm của bậc phải từ 0 đến điểm tối đa", "A step's points are out of range";
    AlternativesMissing = "ALTERNATIVES_MISSING", UNPROCESSABLE_ENTITY, "Chưa khai báo phương án", "Missing alternatives";
    AlternativeKind = "ALTERNATIVE_KIND", UNPROCESSABLE_ENTITY, "Phương án không dùng được cách chấm điểm này", "Kind of points not allowed for an alternative";
    DirectionNotAllowed = "DIRECTION_NOT_ALLOWED", UNPROCESSABLE_ENTITY, "Cách chấm điểm này không dùng chiều tăng, giảm", "Direction not allowed for this kind of points";
    AppliesToEmpty = "APPLIES_TO_EMPTY", UNPROCESSABLE_ENTITY, "Chỉ tiêu không áp dụng cho đơn vị nào", "The indicator applies to no unit";
    RankDecimals = "RANK_DECIMALS", UNPROCESSABLE_ENTITY, "Quá nhiều chữ số thập phân", "Too many decimals";
    BandsUnordered = "BANDS_UNORDERED", UNPROCESSABLE_ENTITY, "Các mức xếp loại phải tăng dần", "Bands must ascend";
    // Load and failure
    TooManyRequests = "TOO_MANY_REQUESTS", TOO_MANY_REQUESTS, "Vượt quá số lần hoặc số lượng cho phép; đề nghị thử lại sau", "Too many attempts or requests; try again later";
    Unavailable = "UNAVAILABLE", SERVICE_UNAVAILABLE, "Hệ thống đang quá tải hoặc tạm gián đoạn; đề nghị thử lại sau ít giây", "Temporarily unavailable; try again";
    Internal = "INTERNAL", INTERNAL_SERVER_ERROR, "Hệ thống gặp lỗi; đề nghị thử lại, nếu vẫn lỗi thì thông báo cho bộ phận hỗ trợ kèm request_id", "Internal error";
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
