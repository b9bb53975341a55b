drop table closed_months;
