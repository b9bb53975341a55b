alter table users drop column external_subject;
