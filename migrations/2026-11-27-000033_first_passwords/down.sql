alter table users drop column must_change_password;
